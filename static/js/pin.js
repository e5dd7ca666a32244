// The six boxes of a PIN are one input. This keeps only digits (people paste "123 456") and never more than fit.
(() => {
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!input.matches?.("input[data-pin]")) return;
    const digits = input.value.replace(/\D/g, "").slice(0, Number(input.dataset.pin));
    if (digits !== input.value) input.value = digits;
  });
})();
