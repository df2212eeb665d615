// What hypermedia does not do by itself. The pages work without this file.
"use strict";

document.addEventListener("focusin", (event) => {
  // A link that is there to be copied is marked whole.
  if (event.target.matches("[readonly]")) event.target.select();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  // A failure comes as a whole page that says what is wrong: it is shown, not swallowed.
  if (event.detail.xhr.status >= 400) {
    event.detail.shouldSwap = true;
    event.detail.target = document.body;
    event.detail.swapOverride = "innerHTML";
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  // Whoever works by keyboard or by ear goes on where something changed.
  // Whoever is typing is not disturbed.
  if (document.activeElement && document.activeElement.matches("input, textarea, select")) return;
  const moved = event.detail.target;
  if (moved && moved.isConnected && !moved.contains(document.activeElement)) {
    moved.setAttribute("tabindex", "-1");
    moved.focus({ preventScroll: true });
  }
});

document.addEventListener("toggle", (event) => {
  // A dialog that opens takes the focus to its first field, or to the way out.
  if (event.target.matches(".dialog") && event.newState === "open") {
    const first = event.target.querySelector("input:not([type=hidden]), button[popovertarget]");
    if (first) first.focus();
  }
}, true);

document.addEventListener("click", async (event) => {
  // The text of a task goes to the clipboard, and the button says so once it is there.
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  from.focus();
  try {
    await navigator.clipboard.writeText(from.value);
    button.textContent = button.dataset.done;
  } catch {
    from.select(); // not allowed to: it is marked, and the keyboard copies it
  }
});
