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
  plugins: [RevealNotes],
});
