// The table of libraries, in the tab of that name.

const COLUMNS = ["library", "takes", "encoded", "folder", ""];

/** How far a library is encoded in the background. */
export function progressOf({ name, encoding, takes }) {
  const [done, all] = encoding;
  return `encoding ${takes ? "moments of " : ""}${name}: ${all ? `${done} of ${all} takes` : "waiting"}`;
}

export class Libraries {
  /** ``manage`` has a library shown, removed or renewed, ``retry`` its files read again. */
  constructor({ manage, retry }) {
    this.manage = manage;
    this.retry = retry;
    this.drawn = "";
  }

  /** Show the libraries as the server lists them. */
  show(libraries) {
    const state = JSON.stringify(libraries);
    const place = document.querySelector("#libraries .of-view");
    if (!place || (state === this.drawn && place.firstChild)) return;
    this.drawn = state;
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const name of COLUMNS) head.append(Object.assign(document.createElement(name ? "th" : "td"), { textContent: name }));
    const body = table.createTBody();
    for (const library of libraries) this.row(body.insertRow(), library);
    place.replaceChildren(table);
  }

  row(row, library) {
    const { name, takes, changed, folder, outdated, encoding, fixed } = library;
    const state = encoding ? progressOf(library) : outdated ? "of another model" : changed ? new Date(changed).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "";
    for (const text of [name, outdated ? "" : takes.toLocaleString(), state, folder ?? ""]) row.insertCell().textContent = text;
    const cell = row.insertCell();
    const button = (text, press) => {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, onclick: press });
      made.setAttribute("aria-label", `${text} ${name}`);
      cell.append(made);
    };
    if (outdated) button("Encode again", () => this.manage({ action: "renew", library: name }));
    else button("Show", () => this.manage({ action: "show", library: name }));
    if (folder && !outdated) button("Refresh", () => this.retry({ all: true, library: name }));
    if (!fixed) button("Remove", ({ target }) => this.remove(target, name));
  }

  /** The first press asks; another place that is chosen is a no. */
  remove(pressed, name) {
    const made = pressed.cloneNode();
    made.textContent = "Forget it and its tags? The files stay";
    made.setAttribute("aria-label", `Forget ${name}`);
    made.onclick = () => this.manage({ action: "remove", library: name });
    made.onblur = () => made.replaceWith(pressed);
    pressed.replaceWith(made);
    made.focus();
  }
}
