"""Which channels are on, and the quiet hours, as the settings say."""

from msgspec import Struct

from app.notices.quiet import Quiet
from app.notices.wording import Channel


class Outlets(Struct, frozen=True, kw_only=True):
    """Addresses and secrets of the receivers; a channel without an address is off."""

    sms_url: str = ""
    sms_secret: str = ""
    subscribe_url: str = ""
    template: str = ""
    app_id: str = ""
    app_secret: str = ""
    sign_in_url: str = ""
    webhook_url: str = ""
    webhook_secret: str = ""
    quiet: Quiet | None = None

    @property
    def on(self) -> frozenset[Channel]:
        """The channels that are switched on."""
        urls = {
            Channel.SMS: self.sms_url,
            Channel.SUBSCRIBE_MESSAGE: self.subscribe_url,
            Channel.WEBHOOK: self.webhook_url,
        }
        return frozenset(channel for channel, url in urls.items() if url)


_outlets = Outlets()


def configure(outlets: Outlets) -> None:
    """Set what is on; without a call everything is off."""
    global _outlets
    _outlets = outlets


def outlets() -> Outlets:
    """Return what is on."""
    return _outlets
