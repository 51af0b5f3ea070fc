// The conversation: who speaks in which thread, what was said, and a story to try.

import { byId, el, restart, sync } from "./dom.js";

const STORY = [
  { user: "ada", title: "Say who you are", text: "Hi, I'm Ada. I'm vegetarian and I'm allergic to peanuts." },
  { user: "ada", title: "Tell it a habit", text: "I always take the night train instead of flying." },
  { user: "ada", title: "Say it again: the duplicate is caught", text: "I always take the night train, instead of flying!" },
  { user: "ada", title: "Change your mind: a fact is superseded", text: "I'm vegan now." },
  { user: "ada", fresh: true, title: "New thread: recalled by meaning", text: "How do I like to travel?" },
  { user: "grace", fresh: true, title: "Another user: nothing leaks", text: "How do I like to travel?" },
];
const USERS = ["ada", "grace", "alan"];

/** Who speaks where. `moved` is called when that changes. */
export class Place {
  constructor(moved) {
    this.user = USERS[0];
    this.threads = {};
    this.moved = moved;
    byId("user").replaceChildren(...USERS.map((user) => el("option", { value: user }, user)));
    byId("user").onchange = () => this.go(byId("user").value);
    byId("thread").onchange = () => this.go(this.user, byId("thread").value);
    byId("new-thread").onclick = () => this.fresh();
    this.draw([]);
  }

  get thread() {
    return this.threads[this.user]?.current ?? `${this.user}-1`;
  }

  /** Takes in which threads the server knows, newest first. */
  learn(threads) {
    const known = this.threads[this.user] ??= { names: [] };
    known.names = [...new Set([...known.names, ...threads])];
    known.current ??= threads[0] ?? `${this.user}-1`;
    this.draw(known.names);
  }

  go(user, thread = null) {
    this.user = user;
    const known = this.threads[user] ??= { names: [] };
    if (thread) known.current = thread;
    restart(byId("messages"), byId("working"), byId("memories"), byId("facts"));
    this.draw(known.names);
    return this.moved();
  }

  fresh(user = this.user) {
    const names = this.threads[user]?.names ?? [];
    let number = names.length + 1;
    while (names.includes(`${user}-${number}`)) number += 1;
    return this.go(user, names.length ? `${user}-${number}` : `${user}-1`);
  }

  forget() {
    this.threads = {};
    return this.go(this.user);
  }

  draw(names) {
    byId("user").value = this.user;
    const all = [...new Set([...names, this.thread])].sort();
    byId("thread").replaceChildren(...all.map((name) => el("option", { value: name, selected: name === this.thread }, name)));
    byId("thread").value = this.thread;
  }
}

export function showMessages(messages) {
  const list = byId("messages");
  const before = list.childElementCount;
  list.dataset.empty = "A new thread. Say something, or try the steps below.";
  sync(list, messages.filter((message) => message.text), (message) => message.id, (message) => el("li", { class: message.role },
    el("span", { class: "hidden" }, message.role === "human" ? "You: " : "Agent: "), message.text));
  if (list.childElementCount !== before) list.scrollTop = list.scrollHeight;
}

/** The steps to try. `say` is called with a text, in its place; before a new thread what was said elsewhere is promoted. */
export function showStory(place, say, promote) {
  byId("story").replaceChildren(...STORY.map((step) => {
    const button = el("button", { type: "button", class: "step", onclick: async () => {
      if (step.fresh) {
        if (!await promote()) return;
        await place.fresh(step.user);
      }
      if (place.user !== step.user) await place.go(step.user);
      if (await say(step.text)) button.classList.add("done");
    } }, el("strong", {}, step.title), el("span", {}, step.text));
    return el("li", {}, button);
  }));
}
