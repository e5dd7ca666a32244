"""What the fixtures of conftest.py and browser.py are, for the signatures of tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.test import Client
from playwright.sync_api import Page

BrowserOf = Callable[..., Client]
OpenPage = Callable[..., Page]
Together = Callable[..., list[Any]]
Travel = Callable[..., dt.datetime]
