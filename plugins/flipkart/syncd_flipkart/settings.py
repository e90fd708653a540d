"""What a seller writes in the configuration about one Flipkart account."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator

from syncd import Settings

PRODUCTION: Final = "https://api.flipkart.net"

ServiceProfile = Literal["NON_FBF", "FBF", "FBF_LITE"]
PaceName = Literal["default", "careful", "fast", "unlimited"]


class FlipkartSettings(Settings):
    """Settings of a Flipkart account.

    Two styles of credentials. A seller's own app has ``app_id`` and ``app_secret`` (client
    credentials). A partner's app that a seller has let in has ``refresh_token`` as well; the
    newest refresh token that the panel hands out is kept beside the access token.
    """

    base_url: str = PRODUCTION
    app_id: str = Field(min_length=1, description="Application id of the Flipkart app.")
    app_secret: SecretStr = Field(description="Application secret of the Flipkart app.")
    refresh_token: SecretStr | None = Field(
        default=None, description="Only for a partner's app: the token from the seller's consent."
    )
    scope: str = Field(default="Seller_Api", description="OAuth scope that is asked for.")
    locations: tuple[str, ...] = Field(
        default=(), description="Seller location ids to ask for; empty asks for all at once."
    )
    service_profiles: tuple[ServiceProfile, ...] = Field(
        default=("NON_FBF",),
        min_length=1,
        description="Who fulfils. The panel hides FBF and FBF_LITE orders unless asked for them.",
    )
    page_size: int = Field(
        default=20, ge=1, le=1000, description="Shipments a page; the panel's maximum is unknown."
    )
    returns_prefix: str = Field(
        default="/sellers/v2", description="Path before the next link of a page of returns."
    )
    returns_window: Literal["modified", "created"] = Field(
        default="modified",
        description="Ask for returns by their last change, or by their creation (less sure).",
    )
    pace: PaceName = Field(
        default="default",
        description="How fast to call: 2, 0.5, 10 or any number of calls a second.",
    )

    @field_validator("locations", "service_profiles")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if "" in values:
            raise ValueError("an empty text is no value; leave the list empty instead")
        return tuple(dict.fromkeys(values))

    @field_validator("returns_prefix")
    @classmethod
    def _a_path(cls, value: str) -> str:
        if not value.startswith("/") or value.startswith("//") or "?" in value:
            raise ValueError("must be a path such as /sellers/v2")
        return value.rstrip("/")
