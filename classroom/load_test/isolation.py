"""What a student, and somebody who is none, can reach on the server: each attempt made, and what came of it."""

from classroom.load_test.lesson_run import ask_python
from classroom.load_test.student_client import StudentClient
from classroom.students import processes


async def try_isolation(clients, students, kernels):
    """Every attempt that must fail: list of {"attempt", "answer", "held"}.

    clients, students: of the class; kernels: running, the first student's first. Uses the first two students.
    """
    own, other = clients[0], clients[1]
    theirs = f"/user/{other.name}/api/contents"
    found = []

    def note(attempt, answer, accepted):
        found.append({"attempt": attempt, "answer": answer, "held": answer in accepted})

    async def status(path, token):
        return (await StudentClient(own.address, "", "", own.deadline).once(path, token=token)).code

    note("the owner reads their own folder, for comparison", await status(theirs, other.token), [200])
    note("a student's token on another's folder", await status(theirs, own.token), [403])
    note("a student's token on another's notebook", await status(f"{theirs}/03_wasted_range.ipynb", own.token), [403])
    note("a student's token on another's kernels", await status(f"/user/{other.name}/api/kernels", own.token), [403])
    note("a student's token on the list of users", await status("/hub/api/users", own.token), [403])
    note("a student's token on another's record", await status(f"/hub/api/users/{other.name}", own.token), [403, 404])
    note("no token", await status(theirs, None), [403])
    note("an invented token", await status(theirs, "0" * 32), [403])
    for attempt, name, password in (
        ("a name that does not exist", "nobody-here", own.password),
        ("a Unix user who is not on the roster", "daemon", own.password),
        ("root, who is not on the roster", "root", own.password),
        ("a student with another's password", own.name, other.password),
        ("a student with no password", own.name, ""),
    ):
        stranger = StudentClient(own.address, name, password, own.deadline)
        note(f"signing in: {attempt}", await stranger.sign_in(), [401, 403])
    home, uid = students[1].home, students[1].uid
    files, lesson = "__import__('os')", "/03_wasted_range.ipynb"
    for attempt, expression in (
        ("another's folder", f"{files}.listdir({str(home)!r})"),
        ("another's notebook", f"open({str(home / 'quantization-course/03_wasted_range.ipynb')!r}).read()"),
        ("the hub's database", f"open({str(home.parents[1] / 'hub/jupyterhub.sqlite')!r}).read()"),
        (
            "the course's own lesson, to write",
            f"open({files}.environ['COURSE_NOTEBOOKS'] + {lesson!r}, 'a')",
        ),
        ("another's server, to end it", f"{files}.kill({next(iter(processes({uid})))}, 15)"),
    ):
        note(f"in a kernel: {attempt}", await ask_python(kernels[0], expression), ["PermissionError"])
    note("in a kernel: 3 GiB of memory", await ask_python(kernels[0], "len(bytearray(3 * 2**30))"), ["MemoryError"])
    note("the same kernel afterwards: 6 * 7", await ask_python(kernels[0], "6 * 7"), ["42"])
    note("whose the kernel is", await ask_python(kernels[0], f"{files}.getuid() == {students[0].uid}"), ["True"])
    return found
