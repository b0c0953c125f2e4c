"use strict";
// Every figure has its pictures side by side in one place: the left one lies over the right one, and the
// slider says how much of it shows.
for (const figure of document.querySelectorAll("figure")) {
  const pair = figure.querySelector(".pair");
  const over = pair.querySelector(".over");
  const slider = figure.querySelector("input[type=range]");
  const move = () => pair.style.setProperty("--at", slider.value + "%");
  slider.addEventListener("input", move);
  move();
  for (const choice of figure.querySelectorAll("input[name^=left]")) {
    choice.addEventListener("change", () => {
      over.src = figure.querySelector("template." + choice.value).content.querySelector("img").src;
      over.alt = choice.dataset.alt;
    });
  }
  for (const choice of figure.querySelectorAll("input[name^=zoom]")) {
    choice.addEventListener("change", () => {
      pair.style.setProperty("--zoom", choice.value);
      pair.classList.toggle("pixels", choice.value > 1);
    });
  }
  // What was made of the picture earlier: the last stage is the one that is there.
  const stage = figure.querySelector("input.stage");
  if (stage) {
    const ours = pair.querySelector("img");
    const when = figure.querySelector("output");
    const stages = Array.from(figure.querySelectorAll("template.stage"), (kept) =>
      [kept.content.querySelector("img").src, kept.dataset.when]);
    stages.push([ours.src, when.textContent]);
    stage.addEventListener("input", () => { [ours.src, when.textContent] = stages[stage.value]; });
  }
  // A pointer on the picture moves the slider, too.
  const follow = (event) => {
    if (event.pointerType === "mouse" && event.buttons !== 1) return;
    const box = pair.getBoundingClientRect();
    slider.value = 100 * (event.clientX - box.left) / box.width;
    move();
  };
  pair.addEventListener("pointerdown", follow);
  pair.addEventListener("pointermove", follow);
  pair.addEventListener("dragstart", (event) => event.preventDefault());
}
