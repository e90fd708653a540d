"""The configuration: read from one TOML file, checked whole, every problem told at once."""

from __future__ import annotations

from syncd.config.check import (
    Loaded as Loaded,
    check_settings as check_settings,
    load as load,
    load_all as load_all,
)
from syncd.config.example import commented_example as commented_example
from syncd.config.model import (
    AccountConfig as AccountConfig,
    AuditConfig as AuditConfig,
    Config as Config,
    TaskConfig as TaskConfig,
    default_config_path as default_config_path,
)
from syncd.config.settings import ChannelInfo as ChannelInfo, ChannelList as ChannelList
