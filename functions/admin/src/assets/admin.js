// What is pleasant and not needed: the pages work without it.
"use strict";

// Copying a line.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  });
}

// An icon while its name is typed.
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

// How far the charts are parsed, until they are.
const follow = async () => {
  const shown = document.querySelector("#parsing[data-going-on]");
  if (!shown) return;
  try {
    const answer = await fetch("/admin/tag-formats", { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelector("#parsing");
    if (now) shown.replaceWith(document.adoptNode(now));
  } catch {
    // The next attempt may do better.
  }
  setTimeout(follow, 1000);
};
setTimeout(follow, 500);
