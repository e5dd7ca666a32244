// Swagger UI over the OpenAPI document. Calls go from this page to the API on this host, without cookies; a token that is
// typed is in the page's memory alone, and goes with the page. `#createWebhook` opens that operation.
(() => {
  const place = document.getElementById("api");
  // What has no name, or a button that is called otherwise than it reads.
  const NAMES = {
    ".body-param__text": "Body",
    ".close-modal": "Close",
    ".examples-select-element": "Example",
    ".operation-filter-input": "Filter operations",
    ".auth-btn-wrapper .authorize": "Authorize",
    ".auth-btn-wrapper .btn-done": "Close",
  };
  const HIDDEN = { type: "password", autoComplete: "off", autoFocus: false };
  const setNames = () => {
    for (const [selector, name] of Object.entries(NAMES)) {
      for (const element of place.querySelectorAll(selector)) element.setAttribute("aria-label", name);
    }
    for (const code of place.querySelectorAll("pre")) code.tabIndex = 0; // it scrolls
  };
  // What had the focus is gone, as the field of a token is once it is sent: the part has it in which it was.
  let around = [];
  place.addEventListener("focusin", (event) => (around = event.composedPath().filter((node) => node instanceof Node && place.contains(node))));
  const keepFocus = () => {
    if (document.activeElement !== document.body || !around.length || around[0].isConnected) return;
    const near = around.filter((node) => node.isConnected).map((node) => node.querySelector("button, input"));
    near.find(Boolean)?.focus();
  };
  new MutationObserver(() => {
    setNames();
    keepFocus();
  }).observe(place, { childList: true, subtree: true });

  const open = () => {
    const operation = location.hash && place.querySelector(`.opblock[id$="-${CSS.escape(location.hash.slice(1))}"]`);
    if (!operation) return;
    operation.querySelector("button[aria-expanded=false]")?.click();
    operation.scrollIntoView();
  };

  const ours = ({ React }) => ({
    components: {
      // Without its own title and landmarks: the page has them.
      Layout: ({ getComponent, specSelectors }) => {
        const part = (name, props) => React.createElement(getComponent(name, true), { key: name, ...props });
        const description = specSelectors.info().get("description");
        const parts = ["AuthorizeBtnContainer", "FilterContainer", "operations"].map((name) => part(name));
        return React.createElement("div", { className: "swagger-ui" }, description && part("Markdown", { source: description }), parts);
      },
    },
    wrapComponents: {
      // Nobody reads a token over a shoulder, and no browser offers to keep it.
      Input: (Original) => (props) =>
        React.createElement(Original, /^(api_key|auth-bearer)/.test(props.id) ? { ...props, ...HIDDEN } : props),
    },
    fn: {
      // Every word, anywhere in an operation: its path, what it does, its permission. As it comes, it looks at paths alone.
      opsFilter: (tags, phrase) => {
        const words = phrase.toLowerCase().split(/\s+/);
        const said = (found) => ["operationId", "summary", "description"].map((name) => found.getIn(["operation", name]));
        const isFound = (found) => {
          const text = [found.get("method"), found.get("path"), ...said(found)].join(" ").toLowerCase();
          return words.every((word) => text.includes(word));
        };
        return tags.map((tag) => tag.set("operations", tag.get("operations").filter(isFound))).filter((tag) => tag.get("operations").size);
      },
    },
  });
  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    plugins: [ours],
    layout: "Layout",
    docExpansion: "list",
    filter: true,
    persistAuthorization: false,
    validatorUrl: null,
    onComplete: open,
    requestInterceptor: (request) => {
      if (!request.loadSpec) request.credentials = "omit";
      return request;
    },
  });
  addEventListener("hashchange", open);
  addEventListener("pagehide", () => place.replaceChildren()); // nothing of it in the back-forward cache
  addEventListener("pageshow", (event) => event.persisted && location.reload());
})();
