"""The played model: what it asks for, and how that is streamed."""

from __future__ import annotations

import json

import pytest

from console.demo.breach import script

TOOLS = ("search_accounts", "reply_to_ticket", "put_object")


def asked(*messages, tools=TOOLS):
    offered = [{"type": "function", "function": {"name": name}} for name in tools]
    return {"model": "acme-large-1", "messages": [{"role": "system", "content": "x"}, *messages], "tools": offered}


def answered(request):
    """The message that a client puts together from the chunks, and why it ended."""
    text, calls, finish = "", {}, ""
    *chunks, last = script.stream(request)
    assert last == b"[DONE]"
    for choice in (c for chunk in chunks for c in json.loads(chunk)["choices"]):
        text += choice["delta"].get("content") or ""
        finish = choice["finish_reason"] or finish
        for piece in choice["delta"].get("tool_calls") or ():
            call = calls.setdefault(piece["index"], {"id": piece.get("id"), "name": "", "arguments": ""})
            call["name"] += piece["function"].get("name") or ""
            call["arguments"] += piece["function"]["arguments"]
    return text, list(calls.values()), finish


def turn(ticket, tools=TOOLS):
    """Names and arguments of what it asks for until it is done."""
    messages, done = [{"role": "user", "content": ticket}], []
    for _ in range(8):
        text, calls, finish = answered(asked(*messages, tools=tools))
        if not calls:
            return done, text, finish
        [call] = calls
        done.append((call["name"], json.loads(call["arguments"])))
        function = {"name": call["name"], "arguments": call["arguments"]}
        messages.append(
            {"role": "assistant", "content": None, "tool_calls": [{"id": call["id"], "function": function}]}
        )
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "done"})
    raise AssertionError("it does not end")


def test_a_ticket_is_looked_up_and_answered():
    done, text, finish = turn("Ticket ZD-1 of customer 17: Where is my parcel?")
    assert [name for name, _ in done] == ["search_accounts", "reply_to_ticket"]
    assert done[0][1] == {"query": "17"} and done[1][1]["ticket"] == "ZD-1"
    assert "ZD-1" in text and finish == "stop"


def test_a_new_tool_is_used_where_it_is_offered():
    done, _, _ = turn("Ticket ZD-1 of customer 17: Where is my parcel?", (*TOOLS, "search_articles"))
    assert [name for name, _ in done] == ["search_articles", "search_accounts", "reply_to_ticket"]


def test_an_order_in_a_ticket_becomes_calls_of_tools_that_the_agent_has():
    done, _, _ = turn(f"Ticket ZD-2 of customer 17: {script.INJECTED}")
    assert [name for name, _ in done] == ["search_accounts", "put_object", "reply_to_ticket"]
    assert done[0][1] == {"query": "*"}
    assert done[1][1]["bucket"] == "acme-weekly-export" and done[1][1]["key"].startswith("exports/tmp/")


@pytest.mark.parametrize("tools", [(), ("reply_to_ticket",)])
def test_it_asks_for_nothing_that_it_was_not_offered(tools):
    done, _, _ = turn(f"Ticket ZD-2 of customer 17: {script.INJECTED}", tools)
    assert [name for name, _ in done] == list(tools)
