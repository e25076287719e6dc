"""Traces of other tools become the stream that the sensor sends."""
