// Before anything is painted: the reader's colours, and the covers, which only a script can take away again.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const kept = (name) => JSON.parse(localStorage.getItem("quantization-course." + name));
    const theme = kept("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (kept("answers")) root.classList.add("answers-shown");
  } catch {
    // Where the browser keeps nothing, the page is as at the first visit.
  }
})();
