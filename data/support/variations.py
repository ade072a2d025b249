"""How a core message becomes a customer's message: placeholders filled, greetings, context, slips."""

from __future__ import annotations

import random
import re

NAMES = (
    "Amira", "Beatriz", "Callum", "Dilys", "Emeka", "Farah", "Gwen", "Hiroshi", "Imogen", "Jakub", "Keisha",
    "Liam", "Marta", "Nikhil", "Oluwaseun", "Priya", "Quentin", "Rosa", "Stefan", "Tariq", "Una", "Viktor",
    "Wren", "Ximena", "Yusuf", "Zofia", "Aoife", "Bogdan", "Chiara", "Desmond", "Elif", "Fergus",
)  # fmt: skip
CITIES = (
    "Leeds", "Cardiff", "Galway", "Utrecht", "Porto", "Gdansk", "Lyon", "Bergen", "Malmo", "Valencia",
    "Inverness", "Norwich", "Bath", "Derry", "Ghent", "Tartu", "Bologna", "Swansea", "Exeter", "Dundee",
)  # fmt: skip
DEVICES = (
    "doorbell camera", "indoor camera", "hub", "door sensor", "leak sensor", "thermostat", "smart plug",
    "smoke sensor", "motion sensor", "garden camera", "hallway camera", "radiator valve",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
WEEKDAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip

GREETINGS = (
    "Hi, ", "Hello, ", "Hi there, ", "Dear team, ", "Good morning, ", "Hey, ", "Hello Hearthloop, ",
    "Good evening. ", "To whom it may concern: ", "hiya ", "Hi {name}, ", "Dear support, ",
)  # fmt: skip
CLOSINGS = (
    " Thanks", " Thank you.", " Cheers", " Regards, {name}", " Many thanks, {name}", " Please help.",
    " Best, {name}", " thx", " {name}", " Ta", " Kind regards", " Waiting for your answer.",
    " Sent from my phone",
)  # fmt: skip
# Context that says nothing about the queue, though its words may belong to one.
CONTEXTS = (
    "We have been customers since {year}.", "I have two cameras and a hub.",
    "My neighbour recommended you.", "I already looked at the help pages.",
    "I wrote last week and nobody answered.", "This is my second message.", "I am writing from {city}.",
    "I tried the chat but it closed.", "Sorry if this is the wrong form.", "I am not good with technology.",
    "My son set everything up for me.", "We moved to {city} in {month}.", "I spoke to {name} on the phone.",
    "The thing is on the latest version.", "I pay you every month for this.",
    "It worked fine until {weekday}.", "I am using the app on my tablet.", "We have the {device} at home.",
    "My order number was {order} if that helps.", "I only noticed it on {weekday}.",
    "No idea whether it matters but I changed my phone in {month}.", "You can reach me by email.",
)  # fmt: skip
CHATTY = (" :)", " 🙂", " 🙏", " lol", " xx", " 😅", " haha", " ❤️")
ANGRY = ("!!", "!!!", " Unbelievable.", " Not good enough.", " I am really annoyed.", " Sort it out.")
KEYS = {"a": "s", "e": "r", "i": "o", "o": "p", "t": "y", "n": "m", "s": "d", "r": "e", "l": "k", "h": "j"}


def varied(text: str, style: str, chance: random.Random) -> str:
    """One customer's version of a core message."""
    text = _slips(text, style, chance)
    if chance.random() < 0.2:
        context = chance.choice(CONTEXTS)
        text = f"{context} {text}" if chance.random() < 0.5 else f"{text} {context}"
    if chance.random() < (0.1 if style in ("terse", "angry") else 0.35):
        text = chance.choice(GREETINGS) + text
    if style == "chatty" and chance.random() < 0.6:
        text += chance.choice(CHATTY)
    if style == "angry" and chance.random() < 0.5:
        text += chance.choice(ANGRY)
    if chance.random() < (0.1 if style in ("terse", "angry") else 0.3):
        text += chance.choice(CLOSINGS)
    return _filled(text, chance)


def _slips(text: str, style: str, chance: random.Random) -> str:
    careless = style in ("typos", "terse", "angry", "chatty")
    if chance.random() < (0.35 if careless else 0.1):
        text = text.lower() if "{" in text or chance.random() < 0.85 else text.upper()
    if chance.random() < (0.4 if careless else 0.1):
        text = re.sub(r"[.,;:'’](?=\s|$)", "", text)
    slips = {"typos": 2, "formal": 0}.get(style, 1 if chance.random() < 0.25 else 0)
    for _ in range(slips):
        text = _slip(text, chance)
    return text


def _slip(text: str, chance: random.Random) -> str:
    # Inside a word of letters, never in a placeholder.
    places = [found.start() for found in re.finditer(r"(?<=[a-z])[a-z](?=[a-z])(?![a-z]*\})", text)]
    if not places:
        return text
    place = chance.choice(places)
    letter, kind = text[place], chance.randrange(4)
    if kind == 0:  # left out
        return text[:place] + text[place + 1 :]
    if kind == 1:  # doubled
        return text[:place] + letter + text[place:]
    if kind == 2:  # swapped with the next
        return text[:place] + text[place + 1] + letter + text[place + 2 :]
    return text[:place] + KEYS.get(letter, letter) + text[place + 1 :]  # the key beside it


def _filled(text: str, chance: random.Random) -> str:
    return re.sub(r"\{(\w+)\}", lambda slot: _value(slot[1], chance), text)


def _value(slot: str, chance: random.Random) -> str:
    day, month = chance.randrange(1, 29), chance.choice(MONTHS)
    if slot == "date":
        written = (f"{day} {month}", f"{month} {day}", f"{day}.{MONTHS.index(month) + 1}.", f"the {day}th")
        return chance.choice(written)
    if slot == "amount":
        units = chance.choice((4, 7, 9, 12, 19, 24, 39, 49, 79, 120, 240))
        return chance.choice(("£{}", "€{}", "£{}.99", "{} pounds", "{} euros", "£{}.50")).format(units)
    values = {"name": NAMES, "city": CITIES, "device": DEVICES, "month": MONTHS, "weekday": WEEKDAYS}
    if slot in values:
        return chance.choice(values[slot])
    if slot == "order":
        return f"HL-{chance.randrange(10_000, 99_999)}"
    return str(chance.randrange(2019, 2026) if slot == "year" else chance.randrange(2, 22))
