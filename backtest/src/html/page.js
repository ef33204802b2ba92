"use strict";
(() => {
  const { tick, step, start, trades } = DATA;
  const decimals = Math.max(0, Math.min(5, Math.round(-Math.log10(tick))));
  const price = (value) => value.toFixed(decimals);
  const instant = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  // Candles come as differences: steps since the one before, open to its close, wicks, body.
  const count = DATA.candles.length / 5;
  const time = new Float64Array(count), open = new Float64Array(count), high = new Float64Array(count);
  const low = new Float64Array(count), close = new Float64Array(count);
  for (let n = 0, at = start, last = 0; n < count; n++) {
    const [after, from, above, below, body] = DATA.candles.slice(n * 5, n * 5 + 5);
    at += after * step;
    const o = last + from, c = o + body;
    time[n] = at; open[n] = o * tick; close[n] = c * tick;
    high[n] = (Math.max(o, c) + above) * tick; low[n] = (Math.min(o, c) - below) * tick;
    last = c;
  }

  // The candle that an instant lies in; what happened at the end of one belongs to it.
  const indexOf = (seconds) => {
    let from = 0, to = count;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (time[middle] < seconds) from = middle + 1; else to = middle;
    }
    return Math.max(0, from - 1);
  };
  const marks = trades.map(([number, way, opened, closed, entry, stop, gain, r, exit, fills]) => ({
    number, way, opened, closed, entry, stop, gain, r, exit,
    from: indexOf(opened), to: indexOf(closed),
    fills: fills.map(([at, where, percent]) => ({ at: indexOf(at), where, percent })),
  }));

  const canvas = document.getElementById("chart"), said = document.getElementById("said");
  let chosen = marks.length ? 0 : -1, left = 0, width = Math.min(count, 160);

  function draw() {
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue("--" + name).trim();
    const ratio = window.devicePixelRatio || 1;
    const box = canvas.getBoundingClientRect(), right = 64, foot = 22;
    canvas.width = box.width * ratio; canvas.height = box.height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.clearRect(0, 0, box.width, box.height);
    if (!count) return;
    width = Math.max(20, Math.min(width, count));
    left = Math.max(-width * 0.2, Math.min(left, count - width * 0.8));
    const first = Math.max(0, Math.floor(left)), last = Math.min(count - 1, Math.ceil(left + width));
    const shown = marks.filter((mark) => mark.to >= first && mark.from <= last);
    let top = -Infinity, bottom = Infinity;
    for (let n = first; n <= last; n++) { top = Math.max(top, high[n]); bottom = Math.min(bottom, low[n]); }
    if (width < 1500) for (const mark of shown) {
      top = Math.max(top, mark.entry, mark.stop); bottom = Math.min(bottom, mark.entry, mark.stop);
    }
    const room = (top - bottom || tick) * 0.06;
    top += room; bottom -= room;
    const wide = box.width - right, tall = box.height - foot;
    const x = (n) => (n - left + 0.5) * wide / width, y = (value) => (top - value) * tall / (top - bottom);

    pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle"; pen.lineWidth = 1;
    const rough = (top - bottom) / 6, power = 10 ** Math.floor(Math.log10(rough));
    const each = power * [1, 2, 5, 10].find((times) => power * times >= rough);
    for (let value = Math.ceil(bottom / each) * each; value <= top; value += each) {
      pen.strokeStyle = colour("line"); pen.beginPath(); pen.moveTo(0, y(value)); pen.lineTo(wide, y(value)); pen.stroke();
      pen.fillStyle = colour("soft"); pen.fillText(price(value), wide + 6, y(value));
    }
    const apart = Math.ceil(width * 120 / wide);
    for (let n = Math.ceil(first / apart) * apart; n <= last; n += apart) {
      if (x(n) < 45 || x(n) > wide - 45) continue;
      pen.fillStyle = colour("soft"); pen.textAlign = "center"; pen.fillText(instant(time[n]), x(n), box.height - 9); pen.textAlign = "left";
    }

    pen.save(); pen.beginPath(); pen.rect(0, 0, wide, tall); pen.clip();
    for (const mark of shown) {
      const is = marks[chosen] === mark;
      pen.globalAlpha = is ? 0.22 : 0.1;
      pen.fillStyle = colour(mark.gain >= 0 ? "good" : "bad");
      const from = x(mark.from) , to = Math.max(x(mark.to), from + 2);
      const out = mark.fills.length ? mark.fills[mark.fills.length - 1].where : mark.entry;
      pen.fillRect(from, Math.min(y(mark.entry), y(out)), to - from, Math.max(2, Math.abs(y(out) - y(mark.entry))));
    }
    pen.globalAlpha = 1;
    // When several candles share a pixel, their highest and lowest do.
    const share = Math.max(1, Math.floor(width / wide));
    const body = Math.max(1, Math.min(14, wide / width * 0.7));
    for (let n = first; n <= last; n += share) {
      let h = high[n], l = low[n];
      const end = Math.min(n + share - 1, last);
      for (let m = n + 1; m <= end; m++) { h = Math.max(h, high[m]); l = Math.min(l, low[m]); }
      pen.fillStyle = colour(close[end] >= open[n] ? "good" : "bad");
      pen.fillRect(Math.round(x(n)) - 0.5, y(h), 1, Math.max(1, y(l) - y(h)));
      if (share === 1 && body > 1.5) {
        const upper = Math.max(open[n], close[n]), lower = Math.min(open[n], close[n]);
        pen.fillRect(x(n) - body / 2, y(upper), body, Math.max(1, y(lower) - y(upper)));
      }
    }
    if (width < 3000) for (const mark of shown) {
      const is = marks[chosen] === mark;
      pen.strokeStyle = pen.fillStyle = colour("ink");
      pen.globalAlpha = is ? 1 : 0.75;
      if (is || width < 600) {
        pen.setLineDash([4, 3]); pen.strokeStyle = colour("bad");
        pen.beginPath(); pen.moveTo(x(mark.from), y(mark.stop)); pen.lineTo(Math.max(x(mark.to), x(mark.from) + 6), y(mark.stop)); pen.stroke();
        pen.setLineDash([]); pen.strokeStyle = colour("accent");
        pen.beginPath(); pen.moveTo(x(mark.from), y(mark.entry)); pen.lineTo(Math.max(x(mark.to), x(mark.from) + 6), y(mark.entry)); pen.stroke();
      }
      const up = mark.way === "buy" ? 1 : -1, size = is ? 8 : 6;
      pen.fillStyle = colour("accent"); pen.beginPath();
      pen.moveTo(x(mark.from), y(mark.entry)); pen.lineTo(x(mark.from) - size * 0.8, y(mark.entry) + up * size * 1.5);
      pen.lineTo(x(mark.from) + size * 0.8, y(mark.entry) + up * size * 1.5); pen.closePath(); pen.fill();
      for (const fill of mark.fills) {
        pen.fillStyle = colour(mark.way === "buy" === fill.where >= mark.entry ? "good" : "bad");
        pen.strokeStyle = colour("card");
        pen.beginPath(); pen.arc(x(fill.at), y(fill.where), is ? 5 : 3.5, 0, 7); pen.fill(); pen.stroke();
      }
      pen.globalAlpha = 1;
    }
    pen.restore();
    const mark = marks[chosen];
    said.textContent = mark
      ? `#${mark.number} ${mark.way} at ${price(mark.entry)}, ${instant(mark.opened)}: ${mark.exit.replace("_", " ")}, ${mark.r >= 0 ? "+" : ""}${mark.r.toFixed(2)} R`
      : `${count} candles of ${DATA.timeframe}`;
  }

  let asked = false;
  const redraw = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
  const zoom = (times, at = 0.5) => {
    const middle = left + width * at;
    width = Math.max(20, Math.min(count, width * times)); left = middle - width * at; redraw();
  };
  const choose = (number, zooms = true) => {
    if (number < 0 || number >= marks.length) return;
    rows[chosen]?.classList.remove("on");
    chosen = number;
    rows[chosen]?.classList.add("on");
    const mark = marks[chosen];
    if (zooms) width = Math.max(60, Math.min(count, (mark.to - mark.from) * 3));
    left = (mark.from + mark.to) / 2 - width / 2; redraw();
  };

  const body = document.querySelector("#trades tbody"), rows = [];
  marks.forEach((mark, number) => {
    const row = body.insertRow(), minutes = Math.round((mark.closed - mark.opened) / 60);
    const cells = [mark.number, instant(mark.opened), mark.way, price(mark.entry), price(mark.stop),
      `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`, mark.exit.replace("_", " "),
      (mark.gain >= 0 ? "+" : "") + price(mark.gain), (mark.r >= 0 ? "+" : "") + mark.r.toFixed(2)];
    cells.forEach((text, n) => {
      const cell = row.insertCell();
      cell.textContent = text;
      if ([1, 2, 5, 6].includes(n)) cell.className = "l";
      if (n >= 7) cell.className = mark.gain >= 0 ? "good" : "bad";
    });
    row.addEventListener("click", () => { choose(number); canvas.scrollIntoView({ block: "center" }); });
    rows.push(row);
  });

  document.getElementById("previous").onclick = () => choose(chosen - 1);
  document.getElementById("next").onclick = () => choose(chosen + 1);
  document.getElementById("in").onclick = () => zoom(0.6);
  document.getElementById("out").onclick = () => zoom(1.7);
  document.getElementById("all").onclick = () => { width = count; left = 0; redraw(); };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, event.offsetX / (canvas.clientWidth - 64));
  }, { passive: false });
  let held = null;
  canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, left]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (held) { left = held[1] - (event.clientX - held[0]) * width / (canvas.clientWidth - 64); redraw(); }
  });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("keydown", (event) => {
    const does = { ArrowLeft: () => { left -= width / 8; }, ArrowRight: () => { left += width / 8; },
      ArrowUp: () => zoom(0.7), ArrowDown: () => zoom(1.4) }[event.key];
    if (does) { event.preventDefault(); does(); redraw(); }
  });
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (marks.length) choose(0); else redraw();
})();
