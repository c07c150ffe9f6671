"""Pages of small business documents as plain data, and questions about what is written on them."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

_FIRST = ("Anna", "Boris", "Carla", "David", "Elena", "Frank", "Grace", "Henry", "Irene", "Jonas", "Karen", "Louis")
_LAST = (
    "Adams",
    "Brandt",
    "Castro",
    "Dawson",
    "Ekberg",
    "Fisher",
    "Garner",
    "Hughes",
    "Iversen",
    "Jensen",
    "Keller",
    "Lopez",
)
_COMPANY = ("Northwind Paper", "Harbor Tools", "Summit Foods", "Cedar Textiles", "Lakeside Optics", "Granite Supply")
_STREET = ("Mill Road", "Oak Street", "River Lane", "Station Square", "Hill Avenue")
_CITY = ("Ashford", "Burlington", "Clayton", "Dover", "Easton", "Fairview")
_MONTH = ("January", "March", "April", "June", "August", "October", "December")
_DEPARTMENT = ("Accounting", "Research", "Logistics", "Personnel", "Quality Control")
_GOODS = (
    "Copy paper",
    "Desk lamp",
    "Steel ruler",
    "Ink ribbon",
    "Filing box",
    "Drawing board",
    "Stapler",
    "Rubber stamp",
)
_SUBJECT = ("Annual budget", "New storage rules", "Safety training", "Travel expenses", "Office opening hours")
_SENTENCES = (
    "The committee met last week and read the report of the working group.",
    "All departments are asked to send their figures in good time.",
    "Please keep a copy of this letter with your own papers.",
    "Questions can be put to the undersigned by telephone or in writing.",
    "The results of the last quarter were better than expected.",
    "A second meeting will be called as soon as the details are settled.",
    "We thank everybody who helped to prepare the figures.",
)


@dataclass(frozen=True, slots=True)
class Field:
    """A line ``label: value``; ``question`` asks for the value, ``answers`` are its accepted forms."""

    label: str
    value: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One page: heading, labelled lines, a list of goods (header row first; may be empty), and running text."""

    kind: str
    sender: str
    heading: str
    fields: tuple[Field, ...]
    items: tuple[tuple[str, ...], ...]
    closing: tuple[Field, ...]
    paragraphs: tuple[str, ...]
    text_scale: float = 1.0
    width: int = 792
    height: int = 1024


def _field(label: str, value: str, question: str, *more: str) -> Field:
    return Field(label, value, question, (value, *more))


def _person(rng: SeededRandom) -> str:
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def _date(rng: SeededRandom) -> str:
    return f"{rng.choice(_MONTH)} {rng.integer(1, 28)}, {rng.integer(1968, 2019)}"


def _money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"


def make_document(rng: SeededRandom, text_scale: float = 1.0) -> Document:
    """An invoice, a memo or a form."""
    make = rng.choice((_invoice, _memo, _form))
    return make(rng, rng.choice(_COMPANY), text_scale)


def _invoice(rng: SeededRandom, company: str, text_scale: float) -> Document:
    address = f"{rng.integer(1, 240)} {rng.choice(_STREET)}, {rng.choice(_CITY)}"
    fields = (
        _field("Invoice No.", f"{rng.integer(10000, 99999)}", "What is the invoice number?"),
        _field("Date", _date(rng), "What is the date of the invoice?"),
        _field("Customer", _person(rng), "What is the name of the customer?"),
        _field("Address", address, "What is the address of the customer?"),
    )
    rows, total = [("Item", "Qty", "Price", "Amount")], 0
    for goods in rng.sample(_GOODS, rng.integer(2, 5)):
        quantity, price = rng.integer(1, 12), rng.integer(150, 9900)
        total += quantity * price
        rows.append((goods, str(quantity), _money(price), _money(quantity * price)))
    closing = (_field("Total", f"${_money(total)}", "What is the total amount?", _money(total)),)
    return Document("invoice", company, "INVOICE", fields, tuple(rows), closing, (), text_scale)


def _memo(rng: SeededRandom, company: str, text_scale: float) -> Document:
    fields = (
        _field("To", _person(rng), "To whom is the memo addressed?"),
        _field("From", _person(rng), "Who wrote the memo?"),
        _field("Date", _date(rng), "What is the date of the memo?"),
        _field("Subject", rng.choice(_SUBJECT), "What is the subject of the memo?"),
    )
    sentences = rng.sample(_SENTENCES, 5)
    return Document(
        "memo", company, "MEMORANDUM", fields, (), (), (" ".join(sentences[:3]), " ".join(sentences[3:])), text_scale
    )


def _form(rng: SeededRandom, company: str, text_scale: float) -> Document:
    phone = f"({rng.integer(200, 989)}) 555-{rng.integer(100, 9999):04d}"
    fields = (
        _field("Name", _person(rng), "What is the name of the employee?"),
        _field("Employee ID", f"E-{rng.integer(1000, 9999)}", "What is the employee ID?"),
        _field("Date of birth", _date(rng), "What is the date of birth?"),
        _field("Department", rng.choice(_DEPARTMENT), "What is the department mentioned in the form?"),
        _field("Telephone", phone, "What is the telephone number?"),
        _field("City", rng.choice(_CITY), "Which city is mentioned in the form?"),
    )
    closing = (_field("Signed on", _date(rng), "On which date was the form signed?"),)
    return Document("form", company, "EMPLOYEE RECORD", fields, (), closing, (rng.choice(_SENTENCES),), text_scale)


def document_question(rng: SeededRandom, page: Document) -> tuple[str, tuple[str, ...], str]:
    """Question, accepted answers, and DocVQA's question type (form, table/list or layout)."""
    options = [(field.question, field.answers, "form") for field in (*page.fields, *page.closing)]
    options.append((f"What is the name of the company at the top of the {page.kind}?", (page.sender,), "layout"))
    for goods, quantity, price, _ in page.items[1:]:
        options.append((f"What is the quantity of {goods}?", (quantity,), "table/list"))
        options.append((f"What is the price of {goods}?", (price, f"${price}"), "table/list"))
    return rng.choice(options)
