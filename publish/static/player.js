// Explorers without a kernel: every input chooses one of the pictures that the page holds.
"use strict";

function startExplorer(root) {
  const data = JSON.parse(root.querySelector("script").textContent);
  const controls = [...root.querySelectorAll("[data-place]")];
  const still = root.querySelector(".still");
  const nominal = [Number(still.getAttribute("width")), Number(still.getAttribute("height"))];
  let asked = 0;

  function position(control) {
    const input = control.querySelector("input[type=range], input:checked");
    return Number(input.value);
  }

  function frame() {
    const chosen = data.sizes.map(() => 0);
    controls.forEach((control) => (chosen[Number(control.dataset.place)] = position(control)));
    return data.frames[chosen.reduce((sum, place, axis) => sum * data.sizes[axis] + place, 0)];
  }

  async function show() {
    const [layer, words] = frame();
    const mine = ++asked;
    for (const range of root.querySelectorAll("input[type=range]")) {
      const text = JSON.parse(range.dataset.texts)[Number(range.value)];
      range.setAttribute("aria-valuetext", text);
      range.parentElement.querySelector("output").textContent = text;
    }
    root.querySelector(".readout").textContent = data.words[words];
    still.alt = data.words[words];
    const [left, top, width, height, webp] = data.layers[layer];
    const next = new Image(width, height);
    next.className = "layer";
    next.alt = "";
    next.src = "data:image/webp;base64," + webp;
    Object.assign(next.style, {
      left: (100 * left) / nominal[0] + "%",
      top: (100 * top) / nominal[1] + "%",
      width: (100 * width) / nominal[0] + "%",
      height: (100 * height) / nominal[1] + "%",
    });
    await next.decode();
    // Decoded before it is put in, so that no frame is blank; and only the newest move counts.
    if (mine === asked) root.querySelector(".layer").replaceWith(next);
    root.dataset.frame = String(layer);
  }

  root.addEventListener("input", show);
  root.querySelector(".reset").addEventListener("click", () => {
    for (const control of controls) {
      const start = control.dataset.start;
      const range = control.querySelector("input[type=range]");
      if (range) range.value = start;
      else control.querySelector(`input[value="${start}"]`).checked = true;
    }
    show();
  });
  show();
}

document.querySelectorAll(".explorer").forEach(startExplorer);
