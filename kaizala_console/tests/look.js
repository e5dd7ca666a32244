// What a look at a page asks, and what it does to the page before: evaluated in every page by looking.py.
(() => {
  const root = document.documentElement;
  const FRAME = ".menu, .topbar";
  const QUICK = { resultTypes: ["violations"], preload: false, iframes: false };
  let shown = null, judged = [], doubted = [];
  const name = (e) => {
    const words = (e.getAttribute("aria-label") || e.textContent || e.getAttribute("name") || "").trim().replace(/\s+/g, " ");
    return `${e.tagName.toLowerCase()}${e.classList.length ? "." + [...e.classList].join(".") : ""} “${words.slice(0, 30)}”`;
  };
  const isShown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
  const floats = (e) => {
    for (; e && e !== document.body; e = e.parentElement) {
      if (["fixed", "sticky"].includes(getComputedStyle(e).position)) return true;
    }
    return false;
  };

  // What can be seen of a rectangle inside everything that clips it; null when nothing can.
  const visiblePart = (rect, element) => {
    let { left, top, right, bottom } = rect;
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.clipPath !== "none" || style.clip !== "auto") return null;
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = e.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return right - left > 1 && bottom - top > 1 ? { left, top, right, bottom } : null;
  };

  // Every line of text that can be seen, with the element that it stands in.
  const lines = () => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !isShown(element) || floats(element)) continue;
      range.selectNodeContents(node);
      for (const rect of range.getClientRects()) {
        const part = rect.width > 1 && rect.height > 1 ? visiblePart(rect, element) : null;
        if (part) found.push({ ...part, element });
      }
    }
    return found.sort((one, other) => one.top - other.top);
  };

  // Texts that are read by their colours, each with a word for what decides whether they can be: its own colours and letters,
  // and what it lies on. What axe-core lets pass (disabled, hidden from readers, a single letter) is left out.
  const texts = () => {
    const grounds = new Map(), found = [];
    const ground = (e) => {
      if (!e) return "";
      if (grounds.has(e)) return grounds.get(e);
      const style = getComputedStyle(e), parts = [];
      if (!/^rgba\(.*, 0\)$/.test(style.backgroundColor)) parts.push(style.backgroundColor);
      if (style.backgroundImage !== "none") parts.push(style.backgroundImage);
      if (style.opacity !== "1") parts.push(style.opacity);
      if (style.filter !== "none") parts.push(style.filter);
      if (style.position !== "static" && style.position !== "relative") parts.push(e.className || e.tagName);
      const all = parts.join() + "<" + ground(e.parentElement);
      grounds.set(e, parts.length ? all : ground(e.parentElement));
      return grounds.get(e);
    };
    const exempt = "[aria-hidden=true], :disabled, [aria-disabled=true], script, noscript, option";
    for (const e of document.querySelectorAll("body, body *")) {
      const own = [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 1);
      if (!(own || e.matches("input, select, textarea")) || e.closest(exempt) || !isShown(e)) continue;
      if ([...(e.closest("label")?.control ? [e.closest("label").control] : [])].some((one) => one.disabled)) continue;
      const style = getComputedStyle(e), link = e.closest("a");
      let words = [ground(e), style.color, style.fontSize, style.fontWeight, style.textShadow].join();
      if (link) words += [getComputedStyle(link).textDecorationLine, getComputedStyle(link.parentElement).color].join();
      let key = 2166136261; // FNV-1a
      for (const letter of words) key = Math.imul(key ^ letter.codePointAt(0), 16777619);
      found.push([key >>> 0, e]);
    }
    return found;
  };
  const details = (node) => ["any", "all", "none"].flatMap((kind) => node[kind]).map((check) => check.message).join("; ");
  const told = (violations) =>
    violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${rule.help} at ${node.target.join(" ")}: ${details(node)}`));

  const look = {
    // WCAG 1.4.10: nothing is wider than the screen.
    wide() {
      if (root.scrollWidth <= root.clientWidth) return [];
      const out = [...document.querySelectorAll("body *")].filter((e) => {
        const box = e.getBoundingClientRect();
        if (!box.width || !isShown(e) || (box.right <= root.clientWidth + 1 && box.left >= -1)) return false;
        const part = visiblePart(box, e.parentElement);
        return part && (part.right > root.clientWidth + 1 || part.left < -1);
      });
      return [`wider than the screen: ${out.slice(0, 5).map(name).join(", ")}`];
    },

    // No text lies on other text.
    overlapping() {
      const all = lines(), found = [];
      all.forEach((one, index) => {
        for (let at = index + 1; at < all.length && all[at].top < one.bottom; at += 1) {
          const other = all[at];
          if (one.element === other.element) continue;
          const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
          const down = Math.min(one.bottom, other.bottom) - other.top;
          const least = Math.min(one.bottom - one.top, other.bottom - other.top);
          if (across > 3 && down > least / 2) found.push(`${name(one.element)} lies on ${name(other.element)}`);
        }
      });
      return found.slice(0, 5);
    },

    // Text that a box cuts off without saying so (an ellipsis does, and a box that scrolls).
    cut() {
      return [...document.querySelectorAll("body *")]
        .filter((e) => {
          if (e.clientWidth < 2 || !e.textContent.trim() || e.matches("svg *, option, select, input, textarea")) return false;
          const style = getComputedStyle(e);
          if (!["hidden", "clip"].includes(style.overflowX) && !["hidden", "clip"].includes(style.overflowY)) return false;
          if (style.textOverflow === "ellipsis" || style.clip !== "auto" || style.clipPath !== "none" || !isShown(e)) return false;
          const across = style.overflowX !== "auto" && style.overflowX !== "scroll" && e.scrollWidth > e.clientWidth + 1;
          const down = style.overflowY !== "auto" && style.overflowY !== "scroll" && e.scrollHeight > e.clientHeight + 1;
          return across || down;
        })
        .slice(0, 5)
        .map((e) => `text is cut off in ${name(e)}`);
    },

    // WCAG 2.4.7 and 2.4.11: whatever has the focus shows it, and nothing that floats hides all of it.
    unseen(frame) {
      const found = [], before = document.activeElement;
      const drawn = (all) =>
        all.map((e) => {
          const style = getComputedStyle(e);
          return [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor].join();
        }).join(";");
      const stops = "a[href], button, input, select, textarea, summary, [tabindex='0']";
      for (const e of document.querySelectorAll(stops)) {
        if (e.disabled || e.tabIndex < 0 || !isShown(e) || (!frame && e.closest(FRAME))) continue;
        if (document.activeElement === e) e.blur();
        const near = [e, e.parentElement, ...[...e.parentElement.querySelectorAll("*")].slice(0, 12)], without = drawn(near);
        e.focus();
        if (document.activeElement !== e) continue;
        if (drawn(near) === without) found.push(`the focus does not show on ${name(e)}`);
        const parts = [...e.getClientRects()], spots = [];
        for (const box of parts) {
          for (const x of [0.1, 0.5, 0.9]) for (const y of [0.2, 0.5, 0.8]) spots.push([box.left + box.width * x, box.top + box.height * y]);
        }
        const isHit = ([x, y]) => {
          const top = document.elementFromPoint(x, y);
          return top && (e.contains(top) || top.contains(e) || [...(e.labels || [])].some((label) => label.contains(top)));
        };
        if (spots.length && !spots.some(isHit)) {
          const [x, y] = spots[4], top = document.elementFromPoint(x, y);
          found.push(`the focus is hidden: ${name(e)} by ${top ? name(top) : "the edge of the screen"}`);
        }
      }
      if (before && before !== document.body) before.focus();
      else document.activeElement.blur();
      scrollTo(0, 0);
      return found.slice(0, 8);
    },

    // After a refused form the keyboard starts at the summary of what is wrong, which is announced.
    refused() {
      const summary = document.querySelector("[data-focus-on-load]");
      if (!summary) return [];
      const found = document.activeElement === summary ? [] : [`the focus is at ${name(document.activeElement)}, not at the errors`];
      for (const field of document.querySelectorAll(".is-invalid:is(input, select, textarea)")) {
        const told = (field.getAttribute("aria-describedby") || "").split(/\s+/).some((id) => id && document.getElementById(id)?.textContent.trim());
        if (field.getAttribute("aria-invalid") !== "true" || !told) found.push(`the error is not told with ${field.name}`);
      }
      return found;
    },

    // What a program writes for itself: a list of Python, markup that was escaped twice, a place that nothing filled.
    raw() {
      const written = /\[['"]|\{['"]|['"]\]|&(#\w+|amp|lt|gt|quot);|<[a-z/][^<]*>|<?\w+ object\b|\{\{|\{%|%\(\w+\)[sd]|\b(undefined|NaN)\b/;
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
      for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        const met = written.exec(node.data), e = node.parentElement;
        if (!met || e.closest("script, style, noscript, pre, code, kbd, textarea, .mono, [data-quotes]") || !isShown(e)) continue;
        found.push(`not for people: “${met[0]}” in ${name(e)}`);
      }
      return found.slice(0, 5);
    },

    // Arrows that point along the line point the other way.
    unturned() {
      return [...document.querySelectorAll("use")]
        .filter((use) => /#(arrow|chevron)-(start|end)$/.test(use.getAttribute("href")) && isShown(use.ownerSVGElement))
        .filter((use) => !getComputedStyle(use.ownerSVGElement).transform.startsWith("matrix(-1"))
        .map((use) => `${use.getAttribute("href").split("#")[1]} points the way of the other direction`);
    },

    // As in a language that is written from right to left. Django's own pages are left alone.
    turn(direction) {
      if (document.querySelector("link[href*='css/console.']")) root.dir = direction;
    },

    // Dark or light at once, as the button of the frame does it, and the one of Django's own pages.
    dark(on) {
      root.dataset.theme = on ? "dark" : "light";
    },

    // WCAG 1.4.12: the reader's own spacing.
    space(on) {
      spacing.disabled = !on;
    },

    // axe-core over the whole page, without what depends on colours. Structure is the same in every width, but for what only
    // one of them shows: the second time all of it is asked only when there is such a thing, else what depends on the layout.
    async structure({ tags, colours, layout, frame }) {
      const now = new Set([...document.querySelectorAll("body *")].filter((e) => isShown(e) && !e.closest(FRAME)));
      const whole = frame || !shown || [...now].some((e) => !shown.has(e));
      shown = now;
      const options = whole ? { runOnly: tags, rules: { "target-size": { enabled: true } } } : { runOnly: { type: "rule", values: layout }, rules: {} };
      if (whole) for (const rule of colours) options.rules[rule] = { enabled: false };
      const result = await axe.run(frame ? document : { include: [document], exclude: [[".menu"], [".topbar"]] }, { ...options, ...QUICK });
      return told(result.violations);
    },

    // axe-core's rules about colours, on texts whose colours it has not judged before: what it says of a text depends on its
    // colour, size, weight and line, and on all that lies behind it. What it could not decide it is asked again, thrice.
    async colours({ rules, known }) {
      const fresh = new Map();
      for (const [key, e] of texts()) if (!known.includes(key)) fresh.has(key) ? fresh.get(key).push(e) : fresh.set(key, [e]);
      if (!fresh.size) return [];
      const include = [...fresh.values()].flatMap((all) => all.slice(0, 3));
      const result = await axe.run({ include }, { runOnly: { type: "rule", values: rules }, ...QUICK, resultTypes: ["violations", "passes"], elementRef: true });
      const decided = new Set([...result.violations, ...result.passes].flatMap((rule) => rule.nodes.map((node) => node.element)));
      for (const [key, all] of fresh) (all.some((e) => decided.has(e)) ? judged : doubted).push(key);
      return told(result.violations);
    },

    // Looks in turn: what each is called, what is done before it, and what it asks. Gives what was found, and of which colours
    // axe-core has judged.
    async through(steps) {
      const found = [];
      judged = [];
      doubted = [];
      for (const [called, act, questions] of steps) {
        for (const [what, how] of act) await look[what](how);
        for (const [what, how] of questions) found.push(...(await look[what](how)).map((words) => `${called}: ${words}`));
      }
      return { found, judged, doubted };
    },
  };
  const sheetOf = (text, disabled) => {
    const sheet = new CSSStyleSheet({ disabled });
    sheet.replaceSync(text);
    document.adoptedStyleSheets.push(sheet);
    return sheet;
  };
  const still = "transition: none !important; animation: none !important; scroll-behavior: auto !important";
  sheetOf(`*, *::before, *::after { ${still} }`, false);
  const spacing = sheetOf(
    `* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
     p { margin-block-end: 2em !important }`,
    true,
  );
  window.look = look;
})();
