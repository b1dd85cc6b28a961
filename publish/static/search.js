// Search over lessons and glossary: MiniSearch and the texts come from the site's own folder when they are first needed.
"use strict";

(() => {
  const dialog = document.querySelector("dialog.search");
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("#found");
  const status = dialog.querySelector(".hits");
  const home = document.body.dataset.root;
  const hint = status.textContent;
  const MOST = 12;
  let ready = null;
  let chosen = -1;

  function script(address) {
    return new Promise((done, failed) => {
      const node = document.createElement("script");
      node.src = home + address;
      node.onload = done;
      node.onerror = () => failed(new Error(address));
      document.head.append(node);
    });
  }

  function prepared() {
    ready ??= Promise.all([script("vendor/minisearch/dist/umd/index.js"), script("assets/search-texts.js")]).then(() => {
      const index = new MiniSearch({
        idField: "at",
        fields: ["title", "text"],
        storeFields: ["page", "title", "text"],
        searchOptions: { boost: { title: 4 }, prefix: true, fuzzy: (word) => (word.length > 4 ? 0.2 : false) },
      });
      index.addAll(courseTexts);
      return index;
    });
    return ready;
  }

  function found(index, words) {
    const all = index.search(words, { combineWith: "AND" });
    return all.length ? all : index.search(words);
  }

  // The words around the first hit, the hit itself marked.
  function excerpt(result) {
    const text = result.text.replaceAll("$", "");
    const words = [...result.terms].sort((a, b) => b.length - a.length);
    const pattern = new RegExp("(" + words.map((word) => word.replace(/[.*+?^$()|[\]{}\\]/g, "\\$&")).join("|") + ")", "i");
    const place = Math.max(0, text.search(pattern));
    const begin = place > 60 ? text.indexOf(" ", place - 60) + 1 : 0;
    const line = document.createElement("span");
    line.className = "excerpt";
    const shown = (begin ? "… " : "") + text.slice(begin, begin + 150) + (text.length > begin + 150 ? " …" : "");
    for (const piece of shown.split(new RegExp(pattern, "gi"))) {
      if (!piece) continue;
      const node = pattern.test(piece) && words.includes(piece.toLowerCase()) ? document.createElement("mark") : document.createElement("span");
      node.textContent = piece;
      line.append(node);
    }
    return line;
  }

  function option(result, place) {
    const item = document.createElement("li");
    item.setAttribute("role", "presentation");
    const link = document.createElement("a");
    link.id = `found-${place}`;
    link.href = home + result.id;
    link.tabIndex = -1; // arrow keys choose; the caret stays in the input
    link.setAttribute("role", "option");
    link.setAttribute("aria-selected", "false");
    const page = document.createElement("span");
    page.className = "page";
    page.textContent = result.page;
    const title = document.createElement("strong");
    title.textContent = result.title;
    link.append(page, title, excerpt(result));
    item.append(link);
    return item;
  }

  function choose(place) {
    const items = [...list.querySelectorAll("a")];
    chosen = items.length ? (place + items.length) % items.length : -1;
    items.forEach((item, number) => item.setAttribute("aria-selected", String(number === chosen)));
    if (chosen >= 0) {
      input.setAttribute("aria-activedescendant", items[chosen].id);
      items[chosen].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  async function show() {
    const words = input.value.trim();
    let results = [];
    if (words) {
      try {
        results = found(await prepared(), words);
      } catch (error) {
        status.textContent = `The search could not be loaded (${error.message}).`;
        return;
      }
      if (words !== input.value.trim()) return; // a newer word is on its way
    }
    list.replaceChildren(...results.slice(0, MOST).map(option));
    input.setAttribute("aria-expanded", String(results.length > 0));
    if (!words) status.textContent = hint;
    else if (!results.length) status.textContent = `Nothing found for “${words}”.`;
    else {
      const best = results.length > MOST ? `The best ${MOST} of ${results.length}` : results.length;
      status.textContent = `${best} ${results.length === 1 ? "place" : "places"}. Arrow keys choose, Enter opens.`;
    }
    choose(results.length ? 0 : -1);
  }

  function open() {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
    prepared().catch(() => {}); // show() says what went wrong
  }

  document.querySelector(".search-button").addEventListener("click", open);
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input:not([type=range], [type=radio]), textarea, select")) return;
    event.preventDefault();
    open();
  });
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (chosen >= 0) list.querySelectorAll("a")[chosen].click();
    } else if (event.key === "Escape") {
      event.preventDefault(); // a search field would only be emptied by the first Escape
      dialog.close();
    }
  });
  // A place on this very page needs the dialog out of the way; a click beside the dialog closes it.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("#found a")) dialog.close();
  });
})();
