// The page of Teach: a camera, a card for each class, and what the networks answer.
// Frames go to the kernel one at a time; what it tells is shown as text, never as HTML.

const SIDE = 320; // pixels of a frame
const PAUSE = 100; // milliseconds from one frame to the next, at least
const HEAVY = 4e6; // bytes; a larger file is made smaller here, as a message may not hold it
const MEDIUM = 1280; // pixels to which it is made smaller
const OTHER = " Uploads and folders work without a camera.";
const REFUSED = {
  NotAllowedError:
    "The browser was not allowed to use the camera. Allow it beside the page's address.",
  NotFoundError: "There is no camera on this machine.",
  NotReadableError: "Another program uses the camera. Close it and start the camera again.",
};
const UNSAFE = "A browser gives the camera only to pages from https or localhost.";

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function button(text, action, properties = {}) {
  return make("button", { type: "button", textContent: text, onclick: action, ...properties });
}

const entered = (act) => (event) => event.key === "Enter" && act();

// The middle square of what is drawn, at most `most` pixels wide, as JPEG.
async function jpeg(source, width, height, most, square) {
  const edge = Math.min(width, height);
  const [w, h] = square ? [edge, edge] : [width, height];
  const scale = Math.min(1, most / Math.max(w, h));
  const canvas = make("canvas", { width: Math.round(w * scale), height: Math.round(h * scale) });
  const { width: cw, height: ch } = canvas;
  const context = canvas.getContext("2d");
  context.drawImage(source, (width - w) / 2, (height - h) / 2, w, h, 0, 0, cw, ch);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
  return blob.arrayBuffer();
}

// A file as it is, or smaller where it is too large for one message; `cut`: it could not be read.
async function contents(file) {
  if (file.size <= HEAVY) return { data: await file.arrayBuffer() };
  try {
    const picture = await createImageBitmap(file);
    return { data: await jpeg(picture, picture.width, picture.height, MEDIUM, false) };
  } catch {
    return { data: await file.slice(0, 4096).arrayBuffer(), cut: true };
  }
}

function render({ model, el }) {
  const page = Math.random().toString(36).slice(2); // another view of it asks, too
  const waiting = new Map();
  const gone = new AbortController();
  const cards = [];
  let asked = 0;
  let stream = null;
  let held = null; // the class whose button is down
  let due = null; // the class that a press was too short for so far

  function ask(content, data) {
    const n = `${page} ${asked++}`;
    model.send({ ...content, n }, undefined, data ? [data] : []);
    return new Promise((done) => waiting.set(n, done));
  }

  function heard(message) {
    waiting.get(message.n)?.(message);
    waiting.delete(message.n);
  }

  // Camera

  const video = make("video", { muted: true, playsInline: true, autoplay: true });
  const still = make("img", { alt: "" });
  const nothing = make("p", { textContent: "The camera is off." });
  const start = button("Start camera", () => (stream ? stop() : begin()));
  const status = make("p", { className: "tl-status" });
  status.setAttribute("role", "status");
  const say = (text) => (status.textContent = text);

  async function begin() {
    if (!navigator.mediaDevices?.getUserMedia) return say(UNSAFE + OTHER);
    start.disabled = true;
    try {
      const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 } } };
      const found = await navigator.mediaDevices.getUserMedia(wanted);
      found.getTracks()[0].onended = () => (stop(), say("The camera has stopped." + OTHER));
      stream = video.srcObject = found;
      if (gone.signal.aborted) return stop();
      await video.play();
      say("Hold something up, and hold a Collect button. Then the same with another.");
      live(found);
    } catch (error) {
      stop();
      say((REFUSED[error.name] ?? `The camera cannot be used (${error.name}).`) + OTHER);
    } finally {
      start.disabled = false;
      arrange();
    }
  }

  function stop() {
    stream?.getTracks().forEach((track) => ((track.onended = null), track.stop()));
    stream = video.srcObject = held = due = null;
    arrange();
  }

  async function live(mine) {
    while (stream === mine) {
      const began = performance.now();
      const place = held ?? due;
      const taught = model.get("state").classes.filter((each) => each.count).length > 1;
      if (video.videoWidth && !document.hidden && (place !== null || taught)) {
        due = null;
        const { videoWidth: width, videoHeight: height } = video;
        const frame = await jpeg(video, width, height, SIDE, true);
        if (place !== null) await ask({ kind: "collect", place }, frame);
        else {
          const { answers } = await ask({ kind: "look" }, frame);
          if (stream === mine && answers) answer(answers);
        }
      }
      const rest = Math.max(PAUSE - (performance.now() - began), 10);
      await new Promise((done) => setTimeout(done, rest));
    }
  }

  // Answers

  const bars = make("div", { className: "tl-bars" });

  function answer(answers) {
    const { classes, colours } = model.get("state");
    const networks = Object.entries(answers);
    const heads = networks.map(([network, values]) => {
      const best = values.reduce((a, v, i) => ((v ?? -1) > (values[a] ?? -1) ? i : a), 0);
      const name = make("strong", { textContent: classes[best].name });
      const head = make("div", { className: "tl-head" }, make("span"), `${network}: `, name);
      head.firstChild.style.background = colours[network];
      return head;
    });
    const rows = classes.flatMap(({ name }, i) => [
      make("div", { className: "tl-name", textContent: name, title: name }),
      ...networks.map(([network, values]) => {
        const value = values[i] ?? null;
        const bar = make("span", { className: "tl-bar" });
        bar.style.width = `${70 * (value ?? 0)}%`;
        bar.style.background = colours[network];
        const text = value === null ? "not learned" : `${Math.round(100 * value)}%`;
        return make("div", { className: "tl-cell" }, bar, make("span", { textContent: text }));
      }),
    ]);
    bars.style.gridTemplateColumns = `minmax(3em, max-content) repeat(${networks.length}, 1fr)`;
    const hint = "Answers appear once two classes have pictures.";
    bars.replaceChildren(...(networks.length ? [make("div"), ...heads, ...rows] : [hint]));
  }

  // Classes

  const things = make("div", { className: "tl-cards" });

  function collector(place) {
    const down = (event) => {
      event.preventDefault();
      if (event.repeat || event.button) return;
      if (!stream) return say("Start the camera first, or upload pictures.");
      held = due = place;
      collect.classList.add("tl-held");
    };
    const up = () => {
      if (held === place) held = null;
      collect.classList.remove("tl-held");
    };
    const key = (act) => (event) => [" ", "Enter"].includes(event.key) && act(event);
    const collect = button("Hold to collect", (event) => event.detail || (down(event), up()), {
      className: "tl-collect",
      onpointerdown: (event) => (collect.focus(), down(event)),
      onpointerup: up,
      onpointercancel: up,
      onlostpointercapture: up,
      onpointerleave: up,
      onkeydown: key(down),
      onkeyup: key((event) => (event.preventDefault(), up())),
      onblur: up,
      oncontextmenu: (event) => event.preventDefault(), // of a long touch
    });
    return collect;
  }

  function chooser(text, many, act) {
    const files = make("input", { type: "file", accept: "image/*,.heic", multiple: many });
    files.hidden = true;
    files.onchange = async () => (await act([...files.files]), (files.value = ""));
    return [button(text, () => files.click()), files];
  }

  function card(place) {
    const name = make("input", { maxLength: 40, ariaLabel: `Name of class ${place + 1}` });
    name.onkeydown = entered(() => (name.blur(), name.focus())); // which ends a change
    name.onchange = async () => {
      await ask({ kind: "rename", place, name: name.value });
      name.value = model.get("state").classes[place].name;
    };
    const count = make("span", { className: "tl-count" });
    const thumbs = make("div", { className: "tl-thumbs" });
    const collect = collector(place);
    const [upload, files] = chooser("Upload", true, async (chosen) => {
      for (const [i, file] of chosen.entries()) {
        const { data, cut } = await contents(file);
        await ask({ kind: "upload", place, name: file.name, first: !i, cut }, data);
      }
    });
    const clear = button("Clear", () => ask({ kind: "clear", place }));
    const tools = make("div", { className: "tl-tools" }, collect, upload, files, clear);
    const box = make("div", { className: "tl-card" }, name, count, thumbs, tools);
    const show = (each) => {
      if (document.activeElement !== name) name.value = each.name;
      const many = `${each.count} picture${each.count === 1 ? "" : "s"}`;
      count.textContent = many + (each.held ? `, ${each.held} of them held back` : "");
      thumbs.replaceChildren(...each.thumbs.map((src) => make("img", { src, alt: "" })));
      for (const [part, text] of [[collect, "Hold to collect"], [upload, "Upload"]])
        part.ariaLabel = `${text} pictures of ${each.name}`;
      clear.ariaLabel = `Clear ${each.name}`;
    };
    return { box, show };
  }

  // All together

  const path = (label) => make("input", { ariaLabel: label, placeholder: label });
  const folder = path("Folder with one folder for each class");
  const place = path("Folder to keep pictures in");
  place.value = model.get("state").folder;
  const [attempt, attempts] = chooser("Try a picture", false, async ([file]) => {
    if (!file) return;
    stop();
    const { data, cut } = await contents(file);
    await ask({ kind: "try", cut }, data);
  });
  const more = button("Add a class", () => ask({ kind: "new" }));
  const scratch = button("Train the same network from scratch on the same pictures", () =>
    ask({ kind: "scratch" }),
  );
  const add = button("Add folder", () => ask({ kind: "folder", path: folder.value }));
  const drawn = button("Use drawn things", () => ask({ kind: "drawn" }));
  const another = button("Show a new one", () => (stop(), ask({ kind: "show" })));
  const keep = button("Keep", () => ask({ kind: "keep", path: place.value }));
  folder.onkeydown = entered(() => add.click());
  place.onkeydown = entered(() => keep.click());
  const tools = (...parts) => make("div", { className: "tl-tools" }, ...parts);
  const view = make("div", { className: "tl-view" }, video, still, nothing);
  const side = make("div", { className: "tl-side" }, bars, tools(start, attempt, attempts));
  el.classList.add("tl-teach");
  el.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes Enter
  el.append(
    make("div", { className: "tl-top" }, view, side),
    status,
    things,
    tools(more, scratch),
    tools(drawn, another),
    tools(folder, add),
    tools(place, keep),
  );

  function arrange() {
    const { shown } = model.get("state");
    start.textContent = stream ? "Stop camera" : "Start camera";
    video.hidden = !stream;
    still.hidden = Boolean(stream) || !shown;
    nothing.hidden = Boolean(stream) || Boolean(shown);
    if (shown && still.src !== shown.src) still.src = shown.src;
    still.alt = shown?.caption ?? "";
    if (!stream) answer(shown?.answers ?? {});
  }

  let told = null;
  function changed() {
    const { classes, said, busy, full } = model.get("state");
    while (cards.length < classes.length) {
      cards.push(card(cards.length));
      things.append(cards.at(-1).box);
    }
    classes.forEach((each, i) => cards[i].show(each));
    more.disabled = full;
    for (const part of [scratch, add, drawn, keep]) part.disabled = busy;
    if (said !== told) say((told = said));
    arrange();
  }

  model.on("msg:custom", heard);
  model.on("change:state", changed);
  changed();
  return () => {
    gone.abort();
    stop();
    model.off("msg:custom", heard);
    model.off("change:state", changed);
  };
}

export default { render };
