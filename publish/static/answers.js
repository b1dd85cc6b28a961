// Covers: what answers a Predict is shown after a guess, or when asked for. Guesses stay in this browser.
"use strict";

(() => {
  const root = document.documentElement;
  const stem = root.dataset.stem;
  const questions = new Map();
  const WHY = "The result below is covered. A guess, even a wrong one, makes it stick; it stays in this browser.";

  for (const piece of document.querySelectorAll("[data-answer]")) {
    const question = piece.dataset.answer;
    if (!questions.has(question)) questions.set(question, []);
    questions.get(question).push(piece);
  }

  function guesses() {
    return kept.get("guesses", {});
  }

  function setGuess(question, text) {
    const all = { ...guesses() };
    if (text === null) delete all[`${stem}#${question}`];
    else all[`${stem}#${question}`] = text;
    kept.set("guesses", all);
  }

  function reveal(question, shown) {
    for (const piece of questions.get(question)) piece.classList.toggle("seen", shown);
    document.getElementById(`guess-${question}`).classList.toggle("made", shown);
  }

  function box(question, number) {
    const made = document.createElement("div");
    made.className = "guess";
    made.id = `guess-${question}`;
    made.innerHTML = `
      <form>
        <label for="guess-${question}-text">Your guess</label>
        <input id="guess-${question}-text" type="text" autocomplete="off" placeholder="a number or a word">
        <button type="submit">Compare</button>
        <button type="button" class="plain show">Show without a guess</button>
        ${number === 1 ? `<p class="soft">${WHY}</p>` : ""}
      </form>
      <p class="said" tabindex="-1"><span class="label">Your guess</span> <strong></strong>
        <button type="button" class="plain again">Cover again</button></p>`;
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", `Prediction ${number}`);
    const [form, input, said] = ["form", "input", ".said"].map((name) => made.querySelector(name));

    function tell(text) {
      said.querySelector("strong").textContent = text || "none";
      reveal(question, true);
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (!text) return input.focus();
      setGuess(question, text);
      tell(text);
      said.focus({ preventScroll: true });
    });
    made.querySelector(".show").addEventListener("click", () => {
      setGuess(question, "");
      tell("");
      said.focus({ preventScroll: true });
    });
    made.querySelector(".again").addEventListener("click", () => {
      setGuess(question, null);
      reveal(question, false);
      input.focus({ preventScroll: true });
    });
    questions.get(question)[0].before(made);
    const before = guesses()[`${stem}#${question}`];
    if (before !== undefined) {
      input.value = before;
      tell(before);
    }
  }

  [...questions.keys()].forEach((question, place) => box(question, place + 1));

  // A link into an answer must not lead to something that cannot be seen.
  function follow() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const piece = target?.closest("[data-answer]");
    if (!piece || piece.classList.contains("seen")) return;
    reveal(piece.dataset.answer, true);
    document.querySelector(`#guess-${CSS.escape(piece.dataset.answer)} .said strong`).textContent = "none";
    target.scrollIntoView();
  }
  addEventListener("hashchange", follow);
  follow();

  const all = document.querySelector(".answers-button");
  function showSwitch() {
    const shown = root.classList.contains("answers-shown");
    all.setAttribute("aria-pressed", String(shown));
  }
  all.addEventListener("click", () => {
    kept.set("answers", root.classList.toggle("answers-shown"));
    showSwitch();
  });
  showSwitch();
})();
