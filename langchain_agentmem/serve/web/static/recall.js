// Recalled memories: each with its score as a bar of terms and, opened, as a table.

import { ago, byId, count, el, sync } from "./dom.js";

const TERMS = {
  semantic: ["meaning", "cosine, over the best of the pool"],
  lexical: ["words", "BM25, over the best of the pool"],
  coverage: ["coverage", "share of the question's words, by rarity"],
  neighbour: ["neighbours", "what the turns beside it add to that"],
  speaker: ["speaker", "said by whom the question names"],
  date: ["date", "falls into the time the question names"],
  shape: ["shape", "holds what is asked for: a place, a number, a time"],
  asking: ["asking", "is itself a question, which tells little"],
  substance: ["substance", "has enough words to say something"],
  activation: ["activation", "recalled often and lately (ACT-R)"],
  recency: ["recency", "its age, by the half-life of its kind"],
  importance: ["importance", "as its writer set it"],
  confidence: ["confidence", "grows when it is said again"],
  superseded: ["superseded", "an older version never stands above a newer one"],
};
const MINOR = ["activation", "recency", "importance", "confidence"]; // all grey in a bar: they only break ties
// Of a turn: whether a memory is in the block, or was left out because facts or the conversation say it already.
const SHOWN = { true: "in the prompt", false: "the prompt says it already" };
const named = (term) => (TERMS[term] ?? [term])[0];
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

export function showRecall(recall) {
  byId("recall-took").textContent = recall.query ? `${count(recall.found.length, "memory", "memories")} in ${recall.ms.toFixed(1)} ms` : "";
  byId("query").value = recall.query;
  const open = new Set([...byId("recalled").querySelectorAll("details[open]")].map((each) => each.dataset.id));
  const best = Math.max(...recall.found.map((each) => each.score), 0.001);
  const ranked = recall.found.map((each, place) => ({ ...each, place: place + 1, best }));
  byId("recalled").dataset.empty = recall.query ? "Nothing answers this: no memory has more evidence than chance would give." : "What is recalled for a turn shows up here.";
  sync(byId("recalled"), ranked, (each) => each.id, (each) => row(each, open.has(each.id)));
  byId("block").hidden = !recall.block;
  byId("shown").textContent = recall.block ?? "";
  const shown = new Set(ranked.flatMap((each) => Object.keys(each.terms)));
  const coloured = Object.keys(TERMS).filter((term) => shown.has(term) && !MINOR.includes(term));
  byId("legend").replaceChildren(
    ...coloured.map((term) => el("li", { title: TERMS[term][1] }, el("i", { class: `t-${term}` }), named(term))),
    MINOR.some((term) => shown.has(term)) ? el("li", { title: MINOR.join(", ") }, el("i"), "tie-breaks") : "");
}

function row(each, open) {
  const told = [each.similarity === null ? null : `cosine ${each.similarity.toFixed(2)}`, each.state, ago(each.updated), SHOWN[each.shown]];
  return el("li", {},
    el("details", { open, "data-id": each.id },
      el("summary", {},
        el("span", { class: "place" }, String(each.place)),
        el("span", { class: "said" }, each.text),
        el("span", { class: "score" }, each.score.toFixed(2)),
        bar(each),
        el("span", { class: "meta" }, told.filter(Boolean).join(" · "))),
      table(each)));
}

function bar(each) {
  const parts = Object.entries(each.terms).filter(([, value]) => value > 0);
  const described = parts.map(([term, value]) => `${named(term)} ${value.toFixed(2)}`).join(", ");
  const whole = el("span", { class: "bar", role: "img", "aria-label": `Score ${each.score.toFixed(2)}: ${described}` });
  for (const [term, value] of parts) {
    const part = el("i", { class: `t-${term}`, title: `${named(term)} ${signed(value)}` });
    part.style.width = `${(100 * value) / each.best}%`;
    whole.append(part);
  }
  return whole;
}

function table(each) {
  const terms = Object.entries(each.terms).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const lines = terms.map(([term, value]) => el("tr", {},
    el("th", { scope: "row" }, el("i", { class: `t-${term}` }), named(term)),
    el("td", {}, (TERMS[term] ?? [])[1] ?? ""),
    el("td", { class: "number" }, signed(value))));
  const sum = el("tr", { class: "sum" }, el("th", { scope: "row" }, "score"), el("td", {}, "the sum, nothing else"), el("td", { class: "number" }, each.score.toFixed(3)));
  return el("table", { class: "terms" }, el("tbody", {}, ...lines, sum));
}

/** The sliders, as they are set. `moved` is called with what was moved here, once that rests; until then it stays. */
export function showSliders(sliders, moved) {
  const all = byId("sliders");
  if (!all.firstChild) all.append(...sliders.map((slider) => slide(slider, moved)));
  for (const { name, value } of sliders) {
    const input = byId(`slider-${name}`);
    if (!(name in resting)) input.value = value;
    input.labels[0].querySelector("output").textContent = input.value;
  }
}

let waiting = 0;
let resting = {};

function slide({ name, label, low, high, step, about }, moved) {
  const id = `slider-${name}`;
  const value = el("output", { for: id });
  const input = el("input", { id, type: "range", min: low, max: high, step, title: about, oninput: () => {
    value.textContent = input.value;
    resting[name] = Number(input.value);
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const settings = resting;
      resting = {};
      moved(settings);
    }, 200);
  } });
  return el("div", { title: about }, el("label", { for: id }, label, value), input);
}
