"""Off unless told; then on loopback, within the bounds that the configuration gives."""

from __future__ import annotations

import pytest

from classifier.settings import OtlpLimits
from console.configuration.keys import KEYS
from console.configuration.sections import parse
from console.configuration.values import SettingsError
from console.settings import Settings


def told(text):
    return Settings({k: v.default for k, v in KEYS.items()} | parse(text)).classifier()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("", None, id="off"),
        pytest.param("otlp: {address: '127.0.0.1:5000'}", None, id="an-address-alone"),
        pytest.param("otlp: {enabled: true}", ("127.0.0.1", 4318), id="on"),
        pytest.param("otlp: {enabled: true, address: '[::1]:5000'}", ("::1", 5000), id="elsewhere"),
    ],
)
def test_it_listens_only_where_it_is_told_to(text, address):
    assert told(text).otlp_address == address


def test_bounds_come_from_the_configuration():
    assert told("").otlp == OtlpLimits()
    found = told("otlp: {body: 2048, rate: 1, calls: 2.5, emails: true}").otlp
    assert (found.body, found.rate, found.calls, found.emails) == (2048, 1.0, 2.5, True)
    with pytest.raises(SettingsError):
        told("otlp: {body: 1}")
