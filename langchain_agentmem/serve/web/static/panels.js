// The panels around the conversation: working memory, long-term memories, facts, promotion, Redis keys.

import { ago, byId, bytes, count, el, span, sync } from "./dom.js";
import { change, read } from "./api.js";
import { attempt } from "./trouble.js";

export function showWorking(working) {
  const entries = Object.entries(working.entries);
  if (working.turns) entries.push(["turns", working.turns === working.kept ? `${working.turns} kept` : `the last ${working.kept} of ${working.turns} kept`]);
  byId("working-hint").textContent = working.turns ? `about ${working.tokens} tokens` : "one hash for each thread";
  byId("working").dataset.empty = "Empty: this thread has said nothing yet.";
  sync(byId("working"), entries, ([name]) => name, ([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)));
}

export function showMemories(memories, user, act) {
  byId("memories-count").textContent = memories.length ? `${count(memories.length, "memory", "memories")} of ${user}` : `of ${user}`;
  byId("memories").dataset.empty = `Nothing is remembered of ${user} yet.`;
  const shown = memories.map(({ id, text, kind, state, version, hits, confidence, updated }) => ({ id, text, kind, state, version, hits, confidence, updated }));
  sync(byId("memories"), shown, (each) => each.id, (each) => memory(each, user, act));
}

function memory(each, user, act) {
  const below = el("div", { class: "below" });
  const tags = [
    each.state ? el("span", { class: "tag state" }, each.state) : el("span", { class: "tag" }, each.kind),
    each.version > 1 ? el("button", { type: "button", class: "tag", onclick: () => showHistory(below, each, user), "aria-label": `History of: ${each.text}` }, `version ${each.version}`) : null,
    each.hits > 1 ? el("span", { class: "tag hit" }, `said ${each.hits}×`) : null,
  ];
  const meter = el("meter", { min: 0, max: 1, value: each.confidence, title: `confidence ${each.confidence.toFixed(2)}`, "aria-label": "confidence" });
  const button = (label, press) => el("button", { type: "button", class: "link", onclick: press, "aria-label": `${label}: ${each.text}` }, label);
  return el("li", {},
    el("p", { class: "said" }, each.text),
    el("div", { class: "row" }, ...tags, meter, el("time", { class: "meta ago", datetime: each.updated }, ago(each.updated)), el("span", { class: "acts" },
      button("Correct", () => correcting(below, each, user, act)),
      button("Forget", () => act(() => change("forget", { user, id: each.id }))))),
    below);
}

async function showHistory(below, each, user) {
  if (below.querySelector("ol")) return below.replaceChildren();
  const versions = await attempt(() => read("history", { user, id: each.id }));
  if (versions) below.replaceChildren(el("ol", { class: "versions" }, ...versions.map((version, place) => el("li", {},
    el("span", { class: place ? "was" : "is" }, version.text),
    el("span", { class: "meta" }, place ? `version ${version.version}, until ${clock(version.valid_to)}` : `version ${version.version}, now`)))));
}

function correcting(below, each, user, act) {
  if (below.querySelector("form")) return below.replaceChildren();
  const input = el("input", { value: each.text, maxlength: 2000, "aria-label": "What it says now", required: true });
  below.replaceChildren(el("form", { class: "inline", onsubmit: (event) => {
    event.preventDefault();
    act(() => change("correct", { user, id: each.id, text: input.value }));
  } }, input, el("button", { type: "submit", class: "quiet" }, "Correct")));
  input.focus();
}

export function showFacts(facts) {
  byId("facts").dataset.empty = "No facts yet. A memory that stands for a state, such as a diet, sets one.";
  sync(byId("facts"), facts, ([now]) => now.name, ([now, ...past]) => el("li", {},
    el("div", { class: "row" }, el("span", { class: "tag state" }, now.name), el("strong", {}, now.value), el("span", { class: "meta" }, `version ${now.version}, since ${clock(now.since)}`)),
    ...past.map((was) => el("div", { class: "row past" }, el("s", {}, was.value), el("span", { class: "meta" }, `version ${was.version}, until ${clock(was.until)}`)))));
}

export function showOutcome(list, outcomes) {
  sync(list, outcomes, (each) => each.key, (each) => el("li", {},
    el("span", { class: `tag ${each.outcome}` }, each.outcome), el("span", { class: "said" }, each.text), el("span", { class: "meta" }, each.reason)));
}

export function showPromotion(promotion) {
  byId("promotion-hint").textContent = `${count(promotion.promoted, "turn")} promoted`;
  byId("promote").hidden = !promotion.waiting.length;
  byId("waiting").dataset.empty = promotion.last.length ? "" : "Turns wait here until their thread is quiet, then become memories.";
  sync(byId("waiting"), promotion.waiting, (each) => each.thread, (each) => el("li", { "data-due": each.due },
    el("span", { class: "tag" }, each.thread), `${count(each.turns, "turn")} waiting`, el("span", { class: "meta due" })));
  showOutcome(byId("promoted"), promotion.last);
  tick();
}

/** Counts down the seconds until a waiting thread is due, and up those since a memory changed. */
export function tick() {
  for (const time of document.querySelectorAll(".ago")) {
    const says = ago(time.dateTime);
    if (time.textContent !== says) time.textContent = says;
  }
  for (const row of byId("waiting").children) {
    const left = (Number(row.dataset.due) - Date.now()) / 1000;
    row.querySelector(".due").textContent = left > 0 ? `due in ${left.toFixed(0)} s` : "being promoted";
  }
}

/** What lies in Redis behind each panel: keys without the prefix that all have. `look` is called with a key's name. */
export function showKeys(keys, prefix, look) {
  const all = keys.reduce((sum, key) => sum + key.bytes, 0);
  byId("total").textContent = `${count(keys.length, "key")}, ${bytes(all)}`;
  for (const strip of document.querySelectorAll(".redis")) {
    const mine = keys.filter((key) => key.panel === strip.dataset.panel);
    if (!strip.firstChild) strip.append(el("summary"), el("ul"));
    strip.querySelector("summary").textContent = mine.length
      ? `Redis: ${count(mine.length, "key")}, ${bytes(mine.reduce((sum, key) => sum + key.bytes, 0))}` : "Redis: no keys yet";
    sync(strip.querySelector("ul"), mine, (key) => key.key, (key) => el("li", {},
      el("button", { type: "button", class: "link", title: key.key, onclick: () => look(key.key) }, key.key.slice(prefix.length)),
      el("span", { class: "meta" }, `${key.type} ${bytes(key.bytes)}`)));
  }
}

export async function showKey(name) {
  const held = await read("key", { name });
  byId("key-name").textContent = held.key;
  byId("key-about").textContent = held.type === "none" ? "It is gone by now." : `${held.type}${held.ttl ? `, expires in ${span(held.ttl / 1000)}` : ", no expiry"}`;
  byId("key-entries").replaceChildren(...held.entries.map((entry) => el("tr", {}, ...entry.map((part) => el("td", {}, part)))));
  byId("key").showModal();
}

const clock = (time) => (time ? new Date(time).toLocaleTimeString([], { hour12: false }) : "?");
