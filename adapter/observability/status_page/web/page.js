// The page: asks /status every 2 seconds and shows what it says, until the adapter no longer answers; then says that.

const timing = {periodMs: 2000, patienceMs: 5000};
const $ = (id) => document.getElementById(id);
const spanNames = {"15m": "15 minutes", "3h": "3 hours", "24h": "24 hours"};
const total = (key) => (data) => format.count(sum(data.series[key]));
const mean = (key) => (data) => {
  const values = data.series[key].filter((value) => value !== null);
  return values.length ? format.rate(sum(values) / values.length) : "–";
};
const overall = (name) => (data) => (data.summary[name] === null ? "–" : format.seconds(data.summary[name]));
const plural = (count, noun) => `${format.count(count)} ${noun}${count === 1 ? "" : "s"}`;
const since = (data) => `last ${spanNames[data.span]}`;
// How many buckets at the left lie before the adapter was started.
const begun = (data) => Math.max(0, data.series.users.findIndex((value) => value !== null));

const charts = [
  new Chart({
    id: "events", title: "Events", unit: "count", least: 4, note: since, begun,
    series: [
      {key: "created", label: "created", color: "c-created", kind: "bar", head: total("created")},
      {key: "updated", label: "updated", color: "c-updated", kind: "bar", head: total("updated")},
      {key: "deleted", label: "deleted", color: "c-deleted", kind: "bar", head: total("deleted")},
      {key: "other", label: "snapshot", color: "c-other", kind: "bar", optional: true, head: total("other")},
      {key: "failed", label: "not taken", color: "c-failed", kind: "bar", optional: true, head: total("failed")},
    ],
  }),
  new Chart({
    id: "lag", title: "Lag, from change to event", unit: "seconds", least: 10, begun, logarithmic: true,
    note: (data) => `${since(data)}, estimated from the histogram`, band: ["lag_p50_s", "lag_p95_s", "c-band"],
    series: [
      {key: "lag_p95_s", label: "p95", color: "c-second", kind: "line", head: overall("lag_p95_s")},
      {key: "lag_p50_s", label: "median", color: "c-strong", kind: "line", head: overall("lag_p50_s")},
    ],
  }),
  new Chart({
    id: "sweeps", title: "Sweep duration", unit: "seconds", least: 0.5, begun,
    note: (data) => `${since(data)}, ${plural(data.summary.sweeps, "sweep")}` +
      (data.summary.sweeps_failed ? `, ${format.count(data.summary.sweeps_failed)} failed` : ""),
    series: [{key: "sweep_s", label: "mean", color: "c-strong", kind: "line", fill: "c-area", head: overall("sweep_s")}],
  }),
  new Chart({
    id: "requests", title: "ListUsers requests a second", unit: "rate", least: 1, begun,
    note: (data) => `${since(data)}, mean`, limit: (data) => data.limit,
    series: [
      {key: "requests_per_s", label: "sent", color: "c-strong", kind: "line", fill: "c-area", head: mean("requests_per_s")},
      {key: "throttled_per_s", label: "throttled", color: "c-failed", kind: "bar", head: mean("throttled_per_s")},
    ],
  }),
];
$("charts").append(...charts.map((chart) => chart.root));

// -- numbers ---------------------------------------------------------------------------------------------------------

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const tiles = Object.fromEntries(["Users", "Events", "Lag, p95", "Last sweep", "Requests", "Undelivered", "Dead letters"]
  .map((name) => {
    const value = element("dd", {className: "value", textContent: "–"});
    const more = element("dd", {className: "more"});
    const root = element("div", {className: "tile"}, element("dt", {textContent: name}), value, more);
    root.dataset.name = name;
    $("tiles").append(root);
    return [name, {root, value, more}];
  }));
const meter = element("i");
tiles.Requests.root.append(element("dd", {className: "meter", ariaHidden: "true"}, meter));

const tile = (name, value, unit, more, tone = "") => {
  const {root, value: shown, more: below} = tiles[name];
  if (shown.dataset.text !== value + unit) {
    shown.dataset.text = value + unit;
    shown.replaceChildren(value, ...(unit ? [element("small", {textContent: unit})] : []));
  }
  setText(below, more);
  root.dataset.tone = tone;
};

const ago = (seconds) => (seconds < 1.5 ? "just now" : `${format.seconds(seconds)} ago`);

// "2.4 s" as a number and its unit.
const split = (seconds) => {
  const text = seconds === null || seconds === undefined ? "–" : format.seconds(seconds);
  const cut = text.indexOf(" ");
  return cut < 0 ? [text, ""] : [text.slice(0, cut), text.slice(cut + 1)];
};

const showTiles = (status, data) => {
  const {summary} = data;
  const dead = status.events.dead_lettered ?? 0;
  tile("Users", format.count(status.users), "", "known in the pool");
  tile("Events", format.count(summary.events), "", `in ${spanNames[data.span]}, ${format.count(status.events.delivered ?? 0)} in all`);
  tile("Lag, p95", ...split(summary.lag_p95_s), summary.lag_p50_s === null ? "no change yet" : `median ${format.seconds(summary.lag_p50_s)}`);
  const last = status.last_successful_sweep;
  const pages = `${plural(status.last_sweep_pages, "page")}, `;
  tile("Last sweep", ...(last ? split(status.last_sweep_seconds) : ["–", ""]), last ? pages + ago(status.now - last) : "none is complete yet");
  const slowed = status.pace_rps < data.limit * 0.99;
  tile("Requests", format.rate(summary.requests_per_s), "/s",
    slowed ? `slowed to ${format.rate(status.pace_rps)} of ${format.rate(data.limit)} /s` : `of ${format.rate(data.limit)} /s allowed`,
    slowed ? "warn" : "");
  meter.style.width = `${Math.min(100, (100 * summary.requests_per_s) / data.limit)}%`;
  tile("Undelivered", format.count(status.undelivered), "", status.undelivered ? "users, tried again" : "nothing waits",
    status.undelivered ? "bad" : "");
  tile("Dead letters", format.count(dead), "", status.settings.dead_letter_sink ? "since the start" : "no sink for them",
    dead ? "warn" : "");
};

// -- state -----------------------------------------------------------------------------------------------------------

const states = {ready: "Ready", starting: "Starting", waiting: "Waiting", unready: "Not ready", unknown: "No answer"};

const setState = (state, summary, reasons = []) => {
  $("verdict").dataset.state = state;
  setText($("state"), states[state]);
  setText($("summary"), summary);
  if ($("reasons").dataset.text !== reasons.join("\n")) {
    $("reasons").dataset.text = reasons.join("\n");
    $("reasons").replaceChildren(...reasons.map((reason) => element("li", {textContent: reason})));
  }
  $("reasons").hidden = !reasons.length;
  const color = {ready: "#22a565", starting: "#e0912f", waiting: "#e0912f", unready: "#d8383e", unknown: "#8a9099"}[state];
  const icon = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='${color}'/></svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(icon)}`;
  if ($("icon").getAttribute("href") !== href) $("icon").setAttribute("href", href);
};

const showState = (status) => {
  const reasons = [...status.dead, ...status.unready];
  const progress = status.first_sweep;
  const reading = progress ? `Reading the pool: ${plural(progress.users, "user")}, ${plural(progress.pages, "page")}` : "";
  const left = progress?.seconds_left ? `, about ${format.seconds(progress.seconds_left)} left` : "";
  const waiting = status.lease_holder !== null && !status.holds_lease;
  const starting = !status.dead.length && !status.last_successful_sweep && status.unready.length <= 1;
  if (!reasons.length) setState("ready", reading ? reading + left : "Sweeps and deliveries work.");
  else setState(waiting ? "waiting" : starting ? "starting" : "unready", reading ? reading + left : "", reasons);
  document.title = `${$("state").textContent} · ${status.pool.id}`;
};

// -- events and facts ------------------------------------------------------------------------------------------------

let known = null; // what was shown before, so that only new rows light up

const eventRow = (event, isNew) => {
  const kind = ["created", "updated", "deleted"].includes(event.kind) ? event.kind : "other";
  const mark = element("span", {className: `key c-${kind}`, ariaHidden: "true"});
  const changed = event.kind === "updated" && event.changed ? [" ", element("small", {textContent: event.changed.replaceAll(",", ", ")})] : [];
  const outcome = element("td", {}, event.outcome.replace("_", "-"), " ", element("small", {textContent: event.code}));
  outcome.dataset.outcome = event.outcome;
  return element("tr", {className: isNew ? "new" : ""},
    element("td", {textContent: format.clock(event.ended), title: `changed ${event.time}`}),
    element("td", {}, mark, event.kind, ...changed),
    element("td", {className: "user", textContent: event.user, title: event.user}),
    outcome,
    element("td", {className: "number", textContent: event.lag_seconds === null ? "–" : format.seconds(event.lag_seconds)}),
    element("td", {className: "id", textContent: event.id, title: event.id}));
};

const showEvents = (status) => {
  const keys = status.last_events.map((event) => `${event.id} ${event.ended}`);
  if (known === null || keys.join() !== [...known].join()) {
    $("events").replaceChildren(...status.last_events.map((event, place) => eventRow(event, known !== null && !known.has(keys[place]))));
    known = new Set(keys);
  }
  $("no-events").hidden = keys.length > 0;
  setText($("users-note"), status.usernames_hashed ? "Usernames are hashed; STATUS_SHOW_USERS=true shows them" : "");
};

// Long names may break behind their separators.
const breakable = (text) => text.split(/(?<=[:/?,@])/u).flatMap((part) => [part, element("wbr")]);

const showFacts = (status) => {
  const counts = (numbers) => Object.entries(numbers).map(([name, count]) => `${name} ${format.count(count)}`).join(", ") || "none";
  const {settings} = status;
  const rows = {
    "Pool": status.pool.arn,
    "Sink": settings.sink,
    "Dead letters to": settings.dead_letter_sink ?? "nowhere: events stay undelivered",
    "State": settings.state,
    "Lease holder": status.lease_holder ?? "not known yet",
    "Up": format.seconds(status.up_seconds),
    "On their way": plural(status.in_flight, "event"),
    "Deliveries": counts(status.events),
    "Sweeps": counts(status.sweeps),
    "Requests": `${format.count(status.requests)}, throttled ${format.count(status.throttled)}`,
    "Pages retried": counts(status.retries),
    "Wait": `${format.seconds(settings.poll_min_seconds)} to ${format.seconds(settings.poll_max_seconds)} between sweeps`,
  };
  for (const [name, text] of Object.entries(rows)) {
    let row = [...$("facts").children].find((each) => each.dataset.name === name);
    if (!row) {
      row = element("div", {}, element("dt", {textContent: name}), element("dd"));
      row.dataset.name = name;
      $("facts").append(row);
    }
    if (row.lastChild.textContent !== text) row.lastChild.replaceChildren(...breakable(text));
  }
  setText($("version"), status.version);
  setText($("pool"), status.pool.id);
  setText($("where"), `${status.pool.region} · account ${status.pool.account} · ${status.name}`);
};

// -- asking ----------------------------------------------------------------------------------------------------------

let span = Object.hasOwn(spanNames, location.hash.slice(1)) ? location.hash.slice(1) : "15m";
let paused = false;
let heardAt = null; // by this browser's clock
let timer = 0;
let asking = 0;

// Of an adapter that has just begun, the charts show what it lived through, and not a long time of nothing.
const LEAST_POINTS = 18;

const chartData = (status) => {
  const {history} = status;
  const lived = history.series.users.findIndex((value) => value !== null);
  const from = Math.max(0, Math.min(lived - 2, history.points - LEAST_POINTS));
  const cut = (numbers) => numbers.slice(from);
  const series = Object.fromEntries(Object.entries(history.series).map(([name, numbers]) => [name, cut(numbers)]));
  series.failed = series.undelivered.map((value, place) => (value === null ? null : value + series.dead_lettered[place]));
  const points = history.points - from;
  const first = history.newest_begins - (points - 1) * history.step_seconds;
  return {
    span: history.span, points, step: history.step_seconds, summary: history.summary, series,
    limit: status.settings.max_rps,
    begins: series.users.map((_, place) => first + place * history.step_seconds),
  };
};

const show = (status) => {
  const data = chartData(status);
  showState(status);
  showTiles(status, data);
  for (const chart of charts) chart.update(data);
  showEvents(status);
  showFacts(status);
  showFreshness();
};

const showFreshness = () => {
  if (heardAt !== null) setText($("fresh"), `${paused ? "paused, " : ""}updated ${ago((Date.now() - heardAt) / 1000)}`);
};

const showSilence = () => {
  const when = heardAt === null ? "" : ` since ${format.clock(heardAt / 1000)}; below is what it said then`;
  setText($("offline"), `The adapter does not answer${when}. Trying again by itself …`);
  $("offline").hidden = false;
  document.body.classList.add("stale");
  setState("unknown", "Whether the adapter runs can't be told from here.");
  document.title = "No answer · cognito-source";
};

const ask = async () => {
  clearTimeout(timer);
  const mine = ++asking; // an answer that was overtaken by a later question is of no use
  try {
    const answer = await fetch(`status?span=${span}`, {cache: "no-store", signal: AbortSignal.timeout(timing.patienceMs)});
    if (!answer.ok) throw new Error(`the adapter answered ${answer.status}`);
    const status = await answer.json();
    if (mine !== asking) return;
    heardAt = Date.now();
    $("offline").hidden = true;
    document.body.classList.remove("stale");
    show(status);
  } catch {
    if (mine === asking) showSilence();
  }
  if (!paused && !document.hidden) timer = setTimeout(ask, timing.periodMs);
};

for (const input of document.getElementsByName("span")) {
  input.checked = input.value === span;
  input.addEventListener("change", () => {
    span = input.value;
    history.replaceState(null, "", `#${span}`);
    ask();
  });
}
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  setText($("pause"), paused ? "Paused" : "Pause");
  if (paused) clearTimeout(timer);
  else ask();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) ask();
});
setInterval(showFreshness, 1000);
setText($("zone"), `Times are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone}`);
ask();
