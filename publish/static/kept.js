// What the reader's browser keeps, and nobody else: colours, what was read, guesses.
// Where it may keep nothing (private windows, some browsers on files), a page remembers until it is left.
"use strict";

const kept = (() => {
  const prefix = "quantization-course.";
  const here = {};

  function get(name, otherwise) {
    if (name in here) return here[name];
    try {
      return JSON.parse(localStorage.getItem(prefix + name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  function set(name, value) {
    here[name] = value;
    try {
      localStorage.setItem(prefix + name, JSON.stringify(value));
    } catch {
      // It stays in `here`.
    }
  }

  function forget(...names) {
    for (const name of names) {
      delete here[name];
      try {
        localStorage.removeItem(prefix + name);
      } catch {
        // Nothing was kept.
      }
    }
  }

  return { get, set, forget };
})();
