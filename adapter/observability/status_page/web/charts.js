"use strict";
// Charts without a library: bars that stand on each other, lines, a readout for mouse, touch and keyboard,
// and the same numbers as a table. Text gets in as text only.

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const svg = (name, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

const format = {
  count: (value) => Math.round(value).toLocaleString("en-US"),
  rate: (value) => (value >= 100 ? Math.round(value) : Number(value.toFixed(value >= 10 ? 1 : 2))).toLocaleString("en-US"),
  seconds: (value) => {
    if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
    if (value < 9.95) return `${value.toFixed(1)} s`;
    if (value < 99.5) return `${Math.round(value)} s`;
    const minutes = Math.round(value / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    return `${Math.round(hours / 24)} days`;
  },
  clock: (epoch, seconds = true) => new Date(epoch * 1000).toLocaleTimeString("en-GB",
    seconds ? {hour: "2-digit", minute: "2-digit", second: "2-digit"} : {hour: "2-digit", minute: "2-digit"}),
};

// On an axis there are round numbers only.
const tick = (value, unit) => {
  if (unit !== "seconds") return value.toLocaleString("en-US");
  if (value < 1 && value > 0) return `${value * 1000} ms`;
  if (value < 60) return value ? `${value} s` : "0";
  return value < 3600 ? `${value / 60} min` : `${value / 3600} h`;
};

// The end of an axis: a round number that leaves a little air above the highest value, and whose half is round too.
const ROUND = {
  count: [1, 100, 1e4, 1e6].flatMap((power) => [1, 2, 4, 6, 8, 10, 20, 40, 60, 80].map((step) => step * power)),
  rate: [0.1, 0.2, 0.4, 0.6, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 1000],
  seconds: [0.1, 0.2, 0.4, 1, 2, 4, 6, 10, 20, 40, 60, 120, 240, 360, 600, 1200, 2400, 3600, 7200, 14400, 28800, 86400],
};
const roundUp = (value, least, unit) => {
  const wanted = Math.max(value * 1.05, least);
  return ROUND[unit].find((end) => end >= wanted) ?? wanted;
};

// A scale from value to a part of the height, and where its lines are. Lags span decades: theirs is logarithmic.
const linear = (peak, {least, unit}) => {
  const end = roundUp(peak, least, unit);
  return {part: (value) => value / end, ticks: [0, end / 2, end]};
};
const DECADES = [0.1, 1, 10, 60, 600, 3600, 36000, 360000];
const logarithmic = (peak, {least}) => {
  const start = DECADES[0];
  const end = DECADES.find((each) => each >= Math.max(peak, least)) ?? peak;
  const part = (value) => Math.max(0, Math.log(Math.max(value, start) / start) / Math.log(end / start));
  return {part, ticks: DECADES.filter((each) => each <= end)};
};

const sum = (numbers) => numbers.reduce((total, each) => total + (each ?? 0), 0);
const GAP = 6; // buckets without a value that a line bridges

class Chart {
  // spec: title, key of every series with label, colour class and kind (bar, line), unit to format values with,
  // `head(data)`: what the legend says of a series while nobody points at a moment; `limit(data)`: a line to stay below;
  // `band`: two series and the class of what lies between them; `note(data)`: what the numbers are about; `begun(data)`:
  // how many buckets lie before the adapter was started. `optional` series are named only when there is something of them.
  constructor(spec) {
    this.spec = spec;
    this.at = null;
    const id = `chart-${spec.id}`;
    this.legend = element("ul", {className: "legend"});
    this.moment = element("p", {className: "at"});
    this.svg = svg("svg", {"aria-hidden": "true", focusable: "false"});
    this.plot = element("div", {className: "plot", tabIndex: 0}, this.svg);
    for (const [name, value] of Object.entries({role: "slider", "aria-labelledby": id, "aria-valuemin": 0}))
      this.plot.setAttribute(name, value);
    this.table = element("div", {className: "scroll", tabIndex: 0});
    this.table.setAttribute("role", "region");
    this.table.setAttribute("aria-labelledby", id);
    this.details = element("details", {}, element("summary", {textContent: "As a table"}), this.table);
    const head = element("div", {className: "head"}, element("h3", {id, textContent: spec.title}), this.legend);
    this.root = element("section", {className: "card chart"}, head, this.moment, this.plot, this.details);
    this.root.setAttribute("aria-labelledby", id);
    this.listen();
  }

  listen() {
    this.plot.addEventListener("pointermove", (event) => this.point(this.bucketAt(event.clientX)));
    this.plot.addEventListener("pointerdown", (event) => this.point(this.bucketAt(event.clientX)));
    this.plot.addEventListener("pointerleave", () => this.point(null));
    this.plot.addEventListener("blur", () => this.point(null));
    this.plot.addEventListener("keydown", (event) => {
      const last = (this.data?.points ?? 1) - 1;
      const from = this.at ?? last;
      const to = {ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: 0, End: last,
        Escape: null}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.point(to === null ? null : Math.max(0, Math.min(last, to)));
    });
    this.details.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  bucketAt(clientX) {
    if (!this.data) return null;
    const box = this.plot.getBoundingClientRect();
    const place = Math.floor((clientX - box.left - this.left) / this.step);
    return Math.max(0, Math.min(this.data.points - 1, place));
  }

  point(bucket) {
    this.at = bucket;
    this.draw();
  }

  // data: points, step (seconds), begins (epoch seconds of every bucket), series (by key), and what the spec asks for.
  update(data) {
    this.data = data;
    if (this.at >= data.points) this.at = null;
    this.draw();
    this.fillTable();
  }

  values(key) {
    return this.data.series[key];
  }

  value(number) {
    return number === null || number === undefined ? "–" : format[this.spec.unit](number);
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!this.data || !width) return;
    const height = 164, bottom = height - 20, top = 8;
    const {bars, lines} = this.parts();
    const limit = this.spec.limit?.(this.data) ?? null;
    const heights = this.data.begins.map((_, place) => sum(bars.map((each) => this.values(each.key)[place])));
    const peak = Math.max(0, limit ?? 0, ...heights, ...lines.flatMap((each) => this.values(each.key)).map((v) => v ?? 0));
    const scale = (this.spec.logarithmic ? logarithmic : linear)(peak, this.spec);
    this.left = 48;
    this.step = (width - this.left) / this.data.points;
    const y = (value) => bottom - scale.part(value) * (bottom - top);
    const x = (place) => this.left + (place + 0.5) * this.step;
    const parts = [...this.axes(scale.ticks, y, width, bottom, top)];
    if (this.spec.band) parts.push(...this.band(...this.spec.band, x, y));
    for (const line of lines) parts.push(...this.line(line, x, y, bottom));
    parts.push(...this.bars(bars, y));
    if (limit !== null) parts.push(svg("path", {class: "limit", d: `M${this.left} ${y(limit)}H${width}`}));
    if (this.at !== null) parts.push(svg("path", {class: "cross", d: `M${x(this.at)} ${top}V${bottom}`}));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...parts);
    this.tell();
  }

  parts() {
    const of = (...kinds) => this.spec.series.filter((each) => kinds.includes(each.kind));
    return {bars: of("bar"), lines: of("line")};
  }

  *axes(ticks, y, width, bottom, top) {
    const begun = this.spec.begun(this.data);
    if (begun > 0)
      yield svg("rect", {class: "unlived", x: this.left, y: top, width: begun * this.step, height: bottom - top});
    if (begun * this.step > 130)
      yield svg("text", {x: this.left + (begun * this.step) / 2, y: (top + bottom) / 2 - 6, "text-anchor": "middle"}, "before its start");
    for (const [place, value] of ticks.entries()) {
      const at = Math.round(y(value)) + 0.5;
      yield svg("path", {class: place ? "grid" : "grid base", d: `M${this.left} ${at}H${width}`});
      yield svg("text", {x: this.left - 8, y: at + 4, "text-anchor": "end"}, tick(value, this.spec.unit));
    }
    // Round times, by the reader's clock.
    const {begins, step} = this.data;
    const room = width > 380 ? 7 : 4;
    const every = [60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400].find((each) => begins.length * step <= each * room);
    const shift = new Date().getTimezoneOffset() * 60;
    for (let time = Math.ceil((begins[0] - shift) / every) * every + shift; time < begins.at(-1); time += every) {
      const at = this.left + ((time - begins[0]) / step) * this.step;
      if (at < this.left + 14 || at > width - 44) continue;
      yield svg("path", {class: "grid base", d: `M${Math.round(at) + 0.5} ${bottom}v4`});
      yield svg("text", {x: at, y: bottom + 16, "text-anchor": "middle"}, format.clock(time, false));
    }
    yield svg("text", {x: width, y: bottom + 16, "text-anchor": "end"}, "now");
  }

  *bars(bars, y) {
    const gap = Math.min(4, Math.max(1, this.step * 0.18));
    const wide = Math.max(1, this.step - gap);
    for (let place = 0; place < this.data.points; place += 1) {
      let below = 0;
      for (const {key, color} of bars) {
        const value = this.values(key)[place];
        if (!value) continue;
        const high = Math.max(1.5, y(below) - y(below + value));
        const from = y(below) - high;
        yield svg("rect", {class: color, x: this.left + place * this.step + gap / 2, y: from, width: wide, height: high, rx: 1});
        below += value;
      }
    }
  }

  // The stretches of buckets that have a value, with short gaps bridged.
  runs(key) {
    const runs = [];
    for (const [place, value] of this.values(key).entries()) {
      if (value === null) continue;
      const last = runs.at(-1);
      if (last && place - last.at(-1).place <= GAP) last.push({place, value});
      else runs.push([{place, value}]);
    }
    return runs;
  }

  *line({key, color, fill}, x, y, bottom) {
    for (const run of this.runs(key)) {
      const path = run.map(({place, value}) => `${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
      if (fill && run.length > 1)
        yield svg("path", {class: fill, d: `M${x(run[0].place)} ${bottom}L${path}L${x(run.at(-1).place)} ${bottom}Z`});
      if (run.length > 1) yield svg("path", {class: `stroke ${color}`, d: `M${path}`});
      else yield svg("circle", {class: color, cx: x(run[0].place), cy: y(run[0].value), r: 2.25});
    }
    const here = this.at === null ? null : this.values(key)[this.at];
    if (here !== null) yield svg("circle", {class: color, cx: x(this.at), cy: y(here), r: 3.5});
  }

  // What lies between two lines.
  *band(low, high, fill, x, y) {
    const point = ({place, value}) => `${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
    const below = this.runs(low);
    for (const [number, run] of this.runs(high).entries())
      yield svg("path", {class: fill, d: `M${[...run, ...below[number].reverse()].map(point).join("L")}Z`});
  }

  // The legend says what holds for the whole time, or for the moment that is pointed at.
  tell() {
    const {data, at} = this;
    const shown = this.spec.series.filter(({key, optional}) => !optional || sum(this.values(key)));
    const items = shown.map(({key, label, color, kind, head}) => {
      const text = at === null ? head(data) : this.value(this.values(key)[at]);
      const mark = element("span", {className: `key ${color}${kind === "bar" ? "" : " line"}`});
      mark.setAttribute("aria-hidden", "true");
      return {label, text, item: element("li", {}, mark, `${label} `, element("b", {textContent: text}))};
    });
    const extra = this.spec.limit ? [this.limitItem()] : [];
    this.legend.replaceChildren(...items.map(({item}) => item), ...extra);
    const moment = at === null ? this.spec.note(data) : this.momentOf(at);
    this.moment.textContent = moment;
    const spoken = `${moment}: ${items.map(({label, text}) => `${label} ${text}`).join(", ")}`;
    const attributes = {"aria-valuemax": data.points - 1, "aria-valuenow": at ?? data.points - 1, "aria-valuetext": spoken};
    for (const [name, value] of Object.entries(attributes)) this.plot.setAttribute(name, value);
  }

  limitItem() {
    const mark = element("span", {className: "key dash"});
    return element("li", {}, mark, "limit ", element("b", {textContent: this.value(this.spec.limit(this.data))}));
  }

  momentOf(place) {
    const begins = this.data.begins[place];
    return `${format.clock(begins)} to ${format.clock(begins + this.data.step)}`;
  }

  fillTable() {
    if (!this.details.open || !this.data) return;
    const names = ["From", ...this.spec.series.map((each) => each.label)];
    const head = element("tr", {}, ...names.map((name, place) =>
      Object.assign(element("th", {textContent: name, scope: "col", className: place ? "number" : ""}))));
    const rows = this.data.begins.flatMap((begins, place) => {
      const values = this.spec.series.map(({key}) => this.values(key)[place]);
      if (values.every((value) => value === null)) return [];
      const cells = values.map((value) => element("td", {className: "number", textContent: this.value(value)}));
      return [element("tr", {}, element("td", {textContent: format.clock(begins)}), ...cells)];
    });
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.reverse()));
    table.setAttribute("aria-labelledby", `chart-${this.spec.id}`);
    this.table.replaceChildren(table);
  }
}
