// Conveniences only: the pages work without this script.
"use strict";

// Copies a line.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  const label = button.querySelector("span") ?? button;
  const original = label.textContent;
  let timer;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Not allowed";
    }
    clearTimeout(timer);
    timer = setTimeout(() => { label.textContent = original; }, 2000);
  });
}

// Shows an icon while its name is typed.
for (const input of document.querySelectorAll("input[data-icon]")) {
  const image = document.createElement("img");
  image.className = "typed-icon";
  image.alt = "";
  image.hidden = true;
  image.addEventListener("load", () => { image.hidden = false; });
  image.addEventListener("error", () => { image.hidden = true; });
  input.after(image);
  const show = () => {
    image.hidden = true;
    const name = input.value.trim();
    if (name) image.src = `/admin/assets/icons/${encodeURIComponent(name)}`;
  };
  input.addEventListener("input", show);
  show();
}

// Updates the progress of parsing until parsing ends.
const follow = async () => {
  const shown = document.querySelector("#parsing[data-going-on]");
  if (!shown) return;
  let now;
  try {
    const answer = await fetch("/admin/tag-formats", { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    now = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#parsing");
  } catch {
    // The next attempt may succeed.
  }
  if (now) {
    shown.querySelector(".how-far").replaceChildren(...now.querySelector(".how-far").childNodes);
    const status = shown.querySelector("[role=status]");
    const statusNow = now.querySelector("[role=status]");
    // Replaced only if it differs, because a screen reader reads every change here.
    if (status.textContent !== statusNow.textContent) status.replaceChildren(...statusNow.childNodes);
    shown.toggleAttribute("data-going-on", now.hasAttribute("data-going-on"));
  }
  setTimeout(follow, 1000);
};
setTimeout(follow, 500);
