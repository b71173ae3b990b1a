"""Home Assistant's dialog of forms, menus and results, as a person uses it."""

from playwright.async_api import ElementHandle, Locator, Page, TimeoutError as Timeout

from .errors import DemoError

# Labels of these elements are properties, tied to no input that a browser knows of.
_FIND = """([label, kinds]) => {
  const search = (root) => {
    for (const each of root.querySelectorAll('*')) {
      if (kinds.includes(each.localName) && each.label === label) return each;
      const found = each.shadowRoot && search(each.shadowRoot);
      if (found) return found;
    }
  };
  return search(document);
}"""
_TYPED = ("ha-input", "ha-textarea")
_SWITCHED = ("ha-form-boolean", "ha-selector-boolean")
_CHOSEN = ("ha-select",)


class Dialog:
    """What is open on the page, by the words that a person reads there."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def frame(self) -> Locator:
        """The dialog as a whole."""
        return self.page.locator("dialog-data-entry-flow")

    async def shows(self, *texts: str) -> None:
        """Wait until all of these can be read; DemoError tells what is there instead."""
        for text in texts:
            try:
                await self.frame.get_by_text(text).first.wait_for()
            except Timeout:
                shown = await self.page.evaluate(_READ)
                raise DemoError(f"the dialog does not show {text!r} but {shown!r}") from None

    async def pick(self, option: str) -> None:
        """Choose from a menu."""
        await self.frame.get_by_text(option, exact=True).click()

    async def press(self, button: str) -> None:
        """Press the button with this text."""
        await self.frame.get_by_role("button", name=button, exact=True).last.click()

    async def unfold(self, section: str) -> None:
        """Open a section of the form."""
        await self.frame.locator("ha-expansion-panel").get_by_text(section, exact=True).click()

    async def reveal(self, label: str) -> None:
        """Scroll to a field."""
        await (await self._find(label, _TYPED)).scroll_into_view_if_needed()

    async def type(self, label: str, text: str) -> None:
        """Replace what a field holds."""
        field = await self._find(label, _TYPED, "input, textarea")
        await field.fill(text)

    async def value(self, label: str) -> str:
        """Give what a field holds."""
        return str(await (await self._find(label, _TYPED)).evaluate("each => each.value ?? ''"))

    async def toggle(self, label: str) -> None:
        """Switch a box on or off."""
        await (await self._find(label, _SWITCHED, "ha-checkbox, ha-switch")).click()

    async def choose(self, label: str, option: str) -> None:
        """Choose from the options of a field."""
        await (await self._find(label, _CHOSEN)).click()
        await self.frame.locator("ha-dropdown-item").get_by_text(option, exact=True).click()

    async def _find(self, label: str, kinds: tuple[str, ...], inner: str = "") -> ElementHandle:
        """Wait for the field with this label, or for what is `inner` in it."""
        handle = await self.page.wait_for_function(_FIND, arg=[label, kinds])
        element = handle.as_element()
        if element is not None and inner:
            element = await element.wait_for_selector(inner)
        if element is None:
            raise DemoError(f"no field {label!r}")
        return element


_READ = """() => {
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent.trim();
    if (['style', 'script', 'svg'].includes(node.localName)) return '';
    const below = [...(node.shadowRoot ?? node).childNodes];
    if (node.localName === 'slot') below.push(...node.assignedNodes());
    return below.map(read).filter(Boolean).join(' ');
  };
  const search = (root) => {
    for (const each of root.querySelectorAll('*')) {
      if (each.localName === 'dialog-data-entry-flow') return each;
      const found = each.shadowRoot && search(each.shadowRoot);
      if (found) return found;
    }
  };
  const dialog = search(document);
  return dialog ? read(dialog) : 'nothing';
}"""
