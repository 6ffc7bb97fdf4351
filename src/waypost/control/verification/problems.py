"""What can be wrong with a profile's domains: a closed list, each with the sentence that says what to do.

`docs/domains.md` explains every one. Words in braces are filled in by `waypost.control.verification.judge`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Problem(StrEnum):
    """What is wrong."""

    NOT_THERE = "not_there"
    DOUBLED_NAME = "doubled_name"
    QUOTED = "quoted"
    ESCAPED = "escaped"
    KEY_CUT_OFF = "key_cut_off"
    KEY_SPLIT = "key_split"
    KEY_SEVERAL = "key_several"
    KEY_REVOKED = "key_revoked"
    KEY_OTHER = "key_other"
    KEY_RESTRICTED = "key_restricted"
    SPF_SEVERAL = "spf_several"
    SPF_LACKS = "spf_lacks"
    MX_ELSEWHERE = "mx_elsewhere"
    CNAME_ELSEWHERE = "cname_elsewhere"
    ADDRESS_ELSEWHERE = "address_elsewhere"
    ADDRESS_MIXED = "address_mixed"
    PROXIED = "proxied"
    CNAME_BESIDE = "cname_beside"
    CNAME_CIRCLE = "cname_circle"
    CNAME_TOO_LONG = "cname_too_long"
    ACCOUNT_OTHER = "account_other"
    DKIM_FIRST = "dkim_first"
    DOMAIN_TAKEN = "domain_taken"
    DMARC_SEVERAL = "dmarc_several"
    NO_ANSWER = "no_answer"
    SERVERS_DISAGREE = "servers_disagree"
    STILL_CACHED = "still_cached"
    EDGE_HOST_DEAD = "edge_host_dead"
    EDGE_HOST_UNSET = "edge_host_unset"
    BOUNCE_HOST_UNSET = "bounce_host_unset"
    SPF_UNSET = "spf_unset"
    TLS_WAITS = "tls_waits"
    TLS_TOLD = "tls_told"
    TLS_NONE = "tls_none"
    TLS_CAA = "tls_caa"
    TLS_INVALID = "tls_invalid"
    TLS_STRANGER = "tls_stranger"
    TLS_UNREACHABLE = "tls_unreachable"


SENTENCES: Final[Mapping[Problem, str]] = MappingProxyType(
    {
        Problem.NOT_THERE: "There is no such record at {name}: publish it where the domain's DNS is managed.",
        Problem.DOUBLED_NAME: (
            "The record is at {doubled}: where you manage DNS, {zone} is added to every name. Enter it as {short}."
        ),
        Problem.QUOTED: "The value itself has quotation marks in it: enter it without any.",
        Problem.ESCAPED: "The value itself has backslashes in it: enter it exactly as shown.",
        Problem.KEY_CUT_OFF: (
            "The key ends after {length} of its {full} characters: it was cut off when it was entered. If the form "
            "takes only 255, enter the value as several quoted strings in one record."
        ),
        Problem.KEY_SPLIT: (
            "The value is spread over {count} records: make it one, in which the text may be several quoted strings."
        ),
        Problem.KEY_SEVERAL: "There are {count} TXT records at {name}, and mail servers take any: leave the one shown.",
        Problem.KEY_REVOKED: "The record has an empty p=, which revokes the key: enter the value shown.",
        Problem.KEY_OTHER: "Another key is published at {name}: replace it by the value shown.",
        Problem.KEY_RESTRICTED: (
            "The key is right, but what stands beside it keeps mail servers from using it: enter the value exactly as "
            "shown."
        ),
        Problem.SPF_SEVERAL: (
            "There are {count} SPF records at {name}, and then none counts: make them one (RFC 7208, section 4.5)."
        ),
        Problem.SPF_LACKS: "The SPF record lacks {lacking}: add it before the term that ends in “all”.",
        Problem.MX_ELSEWHERE: "Mail to {name} goes to {hosts}: bounces come back only with the record shown.",
        Problem.CNAME_ELSEWHERE: "{name} is an alias of {target}: make it one of what is shown.",
        Problem.ADDRESS_ELSEWHERE: (
            "{name} leads to {addresses}, which is not this install: replace that by what is shown. If your DNS "
            "provider can proxy the record (an orange cloud at Cloudflare), switch that off for it."
        ),
        Problem.ADDRESS_MIXED: (
            "{name} also leads to {foreign}, and a reader who is led there does not reach her link: remove that record."
        ),
        Problem.PROXIED: (
            "A proxy stands in front of {name} (at {addresses}): switch it off for this record (“DNS only”). It hides "
            "who clicks, and its certificate is not ours to renew."
        ),
        Problem.CNAME_BESIDE: (
            "There is a CNAME at {name} and also {types}, which DNS does not allow (RFC 1034, section 3.6.2): remove "
            "the other records, or answers change from one resolver to the next."
        ),
        Problem.CNAME_CIRCLE: "The CNAME records go round in a circle ({path}): point {name} at what is shown.",
        Problem.CNAME_TOO_LONG: (
            "{name} is an alias of an alias of an alias, more than {limit} of them, and resolvers give up: point it "
            "straight at what is shown."
        ),
        Problem.ACCOUNT_OTHER: "The record names another account ({others}): enter the value shown.",
        Problem.DKIM_FIRST: "That {name} is yours is told by the sending domain's DKIM record: publish that first.",
        Problem.DOMAIN_TAKEN: (
            "{name} belongs to another account of this install. If it is yours, ask the operator to release it."
        ),
        Problem.DMARC_SEVERAL: "There are {count} DMARC records at {name}, and then none of them counts: leave one.",
        Problem.NO_ANSWER: "It could not be looked up: {failures}. That changes nothing, and it is tried again.",
        Problem.SERVERS_DISAGREE: (
            "Name servers disagree: {bad} does not have it, {good} does. A change takes a while to reach all of them; "
            "if it stays so, ask your DNS provider."
        ),
        Problem.STILL_CACHED: "Resolvers may hold the old answer for {seconds} more seconds; then it is seen.",
        Problem.EDGE_HOST_DEAD: (
            "{name} is an alias of {target}, as it should be, but {target} has no address: tell the operator of this "
            "install."
        ),
        Problem.EDGE_HOST_UNSET: (
            "The operator of this install has not said yet where link domains are to point (settings dns.edge_host "
            "and dns.edge_addresses): until then there is nothing to publish at {name}, and nothing is sent."
        ),
        Problem.BOUNCE_HOST_UNSET: (
            "The operator of this install has not said where bounces are to go (setting dns.bounce_host): those of "
            "mail from {name} are lost unless something takes mail there already."
        ),
        Problem.SPF_UNSET: (
            "The operator of this install has not said which SPF record allows its relay to send (setting mail.spf): "
            "mail from {name} passes SPF only if a record there allows that relay already."
        ),
        Problem.TLS_WAITS: "HTTPS is tried once the records above are right.",
        Problem.TLS_TOLD: "The edges are being told of {name}; a certificate is ordered in a moment.",
        Problem.TLS_NONE: (
            "{name} has no certificate yet: {address} says “{detail}”. One is ordered at every visit; if this stays, "
            "the log of the TLS front on the edge says why."
        ),
        Problem.TLS_CAA: (
            'The CAA record at {at} ({found}) lets {authority} issue no certificate: add 0 issue "{authority}" to it.'
        ),
        Problem.TLS_INVALID: "The certificate that {address} shows for {name} is not valid: {detail}.",
        Problem.TLS_STRANGER: (
            "At {address} something that is no edge of this install answers for {name} ({detail}): tell the operator."
        ),
        Problem.TLS_UNREACHABLE: (
            "{name} leads to {address}, where nothing answers over HTTPS ({detail}). If this stays, tell the operator."
        ),
    }
)
