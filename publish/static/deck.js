// One logical size, 1280 by 720, that reveal.js scales to whatever the projector has.
"use strict";

Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0,
  center: false,
  hash: true,
  transition: "none",
  slideNumber: "c/t",
  pdfSeparateFragments: false,
  pdfMaxPagesPerSlide: 1,
  plugins: [RevealNotes],
});

const SMALLEST = 0.86; // text of 21.5 and code of 15.5 logical pixels; the browser tests refuse a slide that needs less

// Content that is taller than the slide gets smaller type. Fragments count before they are shown.
function fit(slide) {
  if (!slide || slide.dataset.fit) return;
  let size = 1;
  // The code beside a question is welcome where there is room, and goes first where there is none.
  if (slide.scrollHeight > 720) slide.querySelector(".preview")?.remove();
  while (slide.scrollHeight > 720 && size > SMALLEST) {
    size = Math.max(SMALLEST, size - 0.02);
    slide.style.setProperty("--fit", size);
  }
  slide.dataset.fit = size.toFixed(2);
}

MathJax.startup.promise.then(() => {
  fit(Reveal.getCurrentSlide());
  Reveal.on("slidechanged", (event) => fit(event.currentSlide));
  Reveal.on("pdf-ready", () => Reveal.getSlides().forEach(fit));
});
