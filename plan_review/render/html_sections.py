"""Sections of the HTML page: findings, gates, network, data, secrets, cost."""

from __future__ import annotations

from collections.abc import Sequence

from plan_review.findings import prices
from plan_review.findings.network import Flow
from plan_review.gates import GateResult
from plan_review.plan.model import Action
from plan_review.render.markup import Child, Markup, el
from plan_review.report import Review
from plan_review.sentences import money
from plan_review.verdict import findings

_LIST_MAX = 300
_PUBLIC_ADDRESS = "gets a public IPv4 address: reachable only as far as a rule lets somebody in."


def attention(found: Review) -> Markup | None:
    """What somebody should look at twice, the worst first."""
    items = [
        el(
            "li",
            el("span", f.label, class_=f"badge {f.tone}"),
            el("div", el("div", f.where, class_="addr"), f.what),
        )
        for f in findings(found)
    ]
    return el("div", el("ul", _cut(items), class_="list look"), class_="card") if items else None


def gate_results(gates: Sequence[GateResult]) -> Markup | None:
    """The answers of the gates."""
    if not gates:
        return None
    return el("div", el("ul", [el("li", _gate(g)) for g in gates], class_="list"), class_="card")


def _gate(gate: GateResult) -> Markup:
    word = el("span", "passed" if gate.passed else "failed", class_=f"badge {'good' if gate.passed else 'bad'}")
    return el(
        "div",
        word,
        el("b", gate.rule),
        el("ul", [el("li", reason) for reason in gate.reasons]) if gate.reasons else None,
        el("p", f"What to do: {gate.remedy}.", class_="hint") if gate.remedy else None,
        class_="gate",
    )


def network_reach(found: Review) -> Child:
    """Who can reach what."""
    rows = [_flow(flow) for flow in found.flows]
    addresses = [
        el(
            "li",
            el("span", a, class_="addr"),
            " gets a public IPv4 address: reachable only as far as a rule lets somebody in.",
        )
        for a in found.network.public_addresses
    ]
    exposed = [
        el(
            "li",
            el("span", "as before" if e.already else "new", class_=f"badge {'warn' if e.already else 'bad'}"),
            el("span", e.address, class_="addr"),
            f": {e.what}",
            " (not certain before apply)" if e.unknown else None,
        )
        for e in found.public
    ]
    if not (rows or addresses or exposed):
        return None
    head = el("tr", [el("th", t, scope="col") for t in ("", "From", "To", "Traffic", "Why")])
    table = el("table", el("thead", head), el("tbody", _cut(rows, columns=5)), class_="stack")
    return el(
        "div",
        el("p", el("b", "Open to the internet"), class_="bad") if exposed else None,
        el("ul", _cut(exposed), class_="list") if exposed else None,
        table if rows else el("p", "No rule of a security group in this plan.", class_="hint"),
        el("ul", _cut(addresses), class_="list") if addresses else None,
        class_="card",
    )


def _flow(flow: Flow) -> Markup:
    inwards = flow.direction == "in"
    loud = "bad" if inwards and (flow.public or flow.unknown) else ""
    source, target = (flow.peer, flow.group) if inwards else (flow.group, flow.peer)
    badge = el("span", "kept" if flow.kept else "new", class_=f"badge {'dim' if flow.kept else loud or 'good'}")
    return el(
        "tr",
        el("td", badge),
        el("td", el("code", source)),
        el("td", "→ ", el("code", target)),
        el("td", flow.ports),
        el("td", flow.description or "", class_="hint"),
    )


def data_at_risk(found: Review) -> Markup | None:
    """Stores that are destroyed or replaced."""
    items = [
        el(
            "li",
            el("span", "replaced" if r.action is Action.REPLACE else "destroyed", class_="badge bad"),
            el("span", r.address, class_="addr"),
            el("br"),
            f"Lost: {r.lost}. ",
            el("span", f"{r.note[:1].upper()}{r.note[1:]}.", class_="hint"),
        )
        for r in found.risks
    ]
    return el("div", el("ul", _cut(items), class_="list"), class_="card") if items else None


def secrets_found(found: Review) -> Markup | None:
    """Where secrets live, and which are in clear."""
    items = [
        el(
            "li",
            el("span", "in clear" if p.after else "removed", class_=f"badge {'bad' if p.after else 'warn'}"),
            el("span", f"{p.address} ", class_="addr"),
            el("code", p.path),
            f" holds {p.why}.",
            None if p.after else " The plan removes it; change that secret all the same.",
        )
        for p in found.secrecy.plain
    ]
    items += [
        el(
            "li",
            el("span", "in the state", class_="badge warn"),
            el("span", f"{address} ", class_="addr"),
            f"Terraform's state will hold its {attribute} in clear.",
        )
        for address, attribute in found.secrecy.in_state
    ]
    items += [
        el("li", el("span", "kept safe", class_="badge good"), el("span", address, class_="addr"), f": {where}")
        for address, where in found.secrecy.stores
    ]
    return el("div", el("ul", _cut(items), class_="list"), class_="card") if items else None


def cost_table(found: Review) -> Markup | None:
    """The estimate, line by line with its assumptions."""
    lines = found.cost.lines
    if not lines and not found.cost.not_priced:
        return None
    rows = [
        el(
            "tr",
            el("td", money(line.after), class_="num"),
            el("td", el("span", line.address, class_="addr"), el("br"), el("span", line.basis, class_="hint")),
            el("td", f"was {money(line.before)}" if abs(line.after - line.before) >= 0.005 and line.before else ""),
        )
        for line in lines
    ]
    total = el(
        "tr",
        el("td", money(found.cost.after), class_="num"),
        el("td", "in all"),
        el("td", f"was {money(found.cost.before)}" if found.cost.before else ""),
    )
    caption = (
        f"List prices of {prices.REGION}, {prices.AS_OF}; other regions differ. Without traffic, tax and free tier."
    )
    unpriced = [
        el("li", el("span", a, class_="addr"), ": costs money, but there is no price for it here.")
        for a in found.cost.not_priced
    ]
    head = el("tr", [el("th", t, scope="col") for t in ("A month", "What", "Before")])
    return el(
        "div",
        el(
            "table",
            el("caption", caption),
            el("thead", head),
            el("tbody", _cut(rows, columns=3)),
            el("tfoot", total),
            class_="stack",
        ),
        el("ul", _cut(unpriced), class_="list") if unpriced else None,
        class_="card",
    )


def _cut(items: list[Markup], columns: int = 0) -> list[Markup]:
    """No more than a person reads; the number of the others is told."""
    if len(items) <= _LIST_MAX:
        return items
    told = f"… and {len(items) - _LIST_MAX} more"
    more = el("tr", el("td", told, colspan=str(columns))) if columns else el("li", told)
    return [*items[:_LIST_MAX], more]
