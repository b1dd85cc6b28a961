// Colours, the folded course list, and the marks of what was begun and read.
"use strict";

const root = document.documentElement;

function startTheme() {
  const button = document.querySelector(".theme-button");
  const next = { auto: "light", light: "dark", dark: "auto" };
  let theme = kept.get("theme", "auto");
  if (!(theme in next)) theme = "auto";

  function show() {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.querySelector("span").textContent = theme[0].toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Colours: ${theme}. Change to ${next[theme]}`);
    button.title = button.getAttribute("aria-label");
  }

  button.addEventListener("click", () => {
    theme = next[theme];
    kept.set("theme", theme);
    show();
  });
  show();
}

function startBar() {
  const bar = document.querySelector(".bar");
  if (!bar) return;
  const wide = matchMedia("(min-width: 1080px)");
  wide.addEventListener("change", () => (bar.open = wide.matches));
  bar.addEventListener("click", (event) => {
    if (event.target.closest(".contents a") && !wide.matches) bar.open = false;
  });
  followSections(bar);
}

// The section in sight is marked in the contents.
function followSections(bar) {
  const links = new Map();
  for (const link of bar.querySelectorAll(".contents a")) {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) links.set(heading, link);
  }
  if (!links.size) return;
  function mark() {
    let current = null;
    for (const heading of links.keys()) if (heading.getBoundingClientRect().top < 140) current = heading;
    for (const [heading, link] of links) link.classList.toggle("here", heading === current);
  }
  let asked = false;
  addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      mark();
    });
  }, { passive: true });
  mark();
}

// {lesson: "begun" or "read"}
function marks() {
  return kept.get("lessons", {});
}

function setMark(stem, mark) {
  const all = { ...marks() };
  if (mark) all[stem] = mark;
  else delete all[stem];
  kept.set("lessons", all);
  showMarks();
}

function showMarks() {
  const all = marks();
  for (const item of document.querySelectorAll("[data-lesson]")) item.dataset.state = all[item.dataset.lesson] ?? "";
  for (const mark of document.querySelectorAll("[data-mark]")) mark.textContent = all[mark.dataset.mark] ?? "";
  const line = document.querySelector(".read-line");
  if (line) {
    const read = all[root.dataset.stem] === "read";
    line.querySelector("[role=status]").textContent = read ? "You have read this lesson." : "Not marked as read.";
    line.querySelector("button").textContent = read ? "Mark as unread" : "Mark as read";
  }
  showProgress(all);
}

function showProgress(all) {
  const line = document.querySelector(".progress");
  if (!line) return;
  const cards = [...document.querySelectorAll(".card")];
  const read = cards.filter((card) => all[card.dataset.lesson] === "read").length;
  const any = Object.keys(all).length > 0;
  line.querySelector("[role=status]").textContent = any ? `${read} of ${cards.length} lessons read.` : "Nothing read yet.";
  line.querySelector("button").hidden = !any && !Object.keys(kept.get("guesses", {})).length;
  // The button at the top leads to the first lesson that was not read.
  const next = cards.find((card) => all[card.dataset.lesson] !== "read");
  const go = document.querySelector(".go");
  const number = (next ?? cards[0]).querySelector(".number").textContent;
  go.textContent = `${any && next ? "Go on with" : "Start with"} lesson ${number}`;
  go.href = (next ?? cards[0]).querySelector("h4 a").getAttribute("href");
}

function startMarks() {
  const stem = root.dataset.stem;
  if (stem) {
    if (!marks()[stem]) setMark(stem, "begun");
    document.querySelector("[data-read]").addEventListener("click", () => {
      setMark(stem, marks()[stem] === "read" ? "begun" : "read");
      seen.disconnect(); // the reader has said it; scrolling does not say it again
    });
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      setMark(stem, "read");
    });
    seen.observe(document.querySelector(".ways"));
  }
  const forget = document.querySelector(".forget");
  if (forget) {
    forget.addEventListener("click", () => {
      kept.forget("lessons", "guesses");
      showMarks();
    });
  }
  // Back from another page of the course, which may have set a mark.
  addEventListener("pageshow", (event) => event.persisted && showMarks());
  showMarks();
}

startTheme();
startBar();
startMarks();
