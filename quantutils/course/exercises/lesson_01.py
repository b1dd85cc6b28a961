"""Lesson 01, Why quantize: gigabytes, the price of scales, and a packed byte."""

from quantutils.course.exercises.judging import Wrong, exercise, near, the_number


@exercise("01.1")
def gigabytes_of_a_model(answer):
    """13 billion parameters at 4 bits, without scales, in GB: 6.5."""
    size = the_number(answer, "the size in GB")
    if near(size, 52):
        raise Wrong("52 is 13 · 4: that counts bits as bytes. A byte has 8 bits.")
    if near(size, 6.5e9):
        raise Wrong("right in bytes; in gigabytes divide by 10⁹.")
    if near(size, 13):
        raise Wrong("13 GB is one byte a parameter, 8 bits; here it is half a byte.")
    if near(size, 26):
        raise Wrong("26 GB is 16 bits a parameter.")
    if near(size, 6.5 * 1e9 / 2**30, 5e-3):
        raise Wrong("that is in GiB, 2³⁰ bytes; the lesson counts in GB, 10⁹ bytes.")
    if not near(size, 6.5):
        raise Wrong("parameters times bits, divided by 8 bits a byte and by 10⁹.")
    return "13 · 4 / 8 = 6.5 GB: it fits a laptop with 16 GB, where the 26 GB of FP16 do not."


@exercise("01.2")
def bits_with_scales(answer):
    """4-bit weights with a 16-bit scale for every 64: 4.25 bits each."""
    bits = the_number(answer, "the bits per weight")
    if near(bits, 20):
        raise Wrong("the scale is shared: 64 weights pay for one, not each weight for its own.")
    if near(bits, 4):
        raise Wrong("that leaves the scales out; 64 weights carry 16 bits more.")
    if near(bits, 4.5):
        raise Wrong("that is for groups of 32; with 64 the scale is shared by twice as many.")
    if near(bits, 8):
        raise Wrong("64 / 16 is the wrong way round: 16 bits are shared out among 64 weights.")
    if near(bits, 0.25):
        raise Wrong("0.25 is what the scale adds; the weight itself takes 4 bits as well.")
    if not near(bits, 4.25):
        raise Wrong("4 bits for the weight and a share of 16 bits for its group of 64.")
    return "4 + 16 / 64 = 4.25 bits: the scales cost 6 % of the size."


@exercise("01.3")
def packed_byte(answer):
    """The byte that holds the signed 4-bit codes 3 (low) and −2 (high): 0xE3 = 227."""
    byte = the_number(answer, "the byte")
    if byte == 62:
        raise Wrong("62 is 0x3E: the two codes are swapped. The first code goes into the lower four bits.")
    if byte == -29:
        raise Wrong("−29 is the same eight bits read as a signed number; a byte in a file is 0 … 255.")
    if byte == 35 or byte == 50:
        raise Wrong("you packed +2. The code is −2: in 4 bits, two's complement, that is 16 − 2 = 14.")
    if byte == 163 or byte == 58:
        raise Wrong("you set a sign bit on 2 (1010); two's complement of −2 in 4 bits is 1110.")
    if byte == 1:
        raise Wrong("adding the codes loses them; shift the second one up by four bits first.")
    if byte != 227:
        raise Wrong("the lower four bits hold 3, the upper four hold 16 − 2 = 14: 3 + 16 · 14.")
    return "3 + 16 · 14 = 227 = 0xE3: two weights in one byte."
