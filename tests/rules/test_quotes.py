"""What the person wrote, apart from what mail programs add to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.quotes import written

OURS = "Hello Ola, we help accountants.\nYou get this once. Unsubscribe: https://a.example/u/x"
KARI = "Kari Berg <kari@sender.example>"
PLAIN = "Hello Ola, we help accountants.\n\nUnsubscribe: https://a.example/u/x"
MARKED = "\n".join(f"> {line}" for line in PLAIN.splitlines())

# How programs of many makers and tongues introduce what they quote.
WROTE = [
    f"On Tue, Nov 24, 2026 at 10:00 AM {KARI} wrote:",
    "On Tue, Nov 24, 2026 at 10:00 AM Kari Berg <\nkari@sender.example> wrote:",
    f"On 24 Nov 2026, at 10:00, Kari Berg via Team\n{KARI}\nwrote:",
    "On 24/11/2026 10:00, Kari Berg wrote:",
    f"tir. 24. nov. 2026 kl. 10:00 skrev {KARI}:",
    f"Den tirsdag 24. november 2026 10.00 skrev {KARI}:",
    f"> 24. nov. 2026 kl. 10:00 skrev {KARI}:",
    "Den tis 24 nov. 2026 kl 10:00 skrev Kari Berg <\nkari@sender.example>:",
    "24 nov. 2026 kl. 10:00 skrev Kari Berg:",
    f"Am Di., 24. Nov. 2026 um 10:00 Uhr schrieb {KARI}:",
    f"{KARI} schrieb am Di., 24. Nov. 2026, 10:00:",
    f"Am 24.11.26 um 10:00 schrieb {KARI}:",
    f"Le mar. 24 nov. 2026 à 10:00, {KARI} a écrit :",
    "El mar, 24 nov 2026 a las 10:00, Kari Berg (<kari@sender.example>) escribió:",
    f"Il giorno mar 24 nov 2026 alle ore 10:00 {KARI} ha scritto:",
    f"Op di 24 nov 2026 om 10:00 schreef {KARI}:",
    f"Op di 24 nov. 2026 10:00 schreef {KARI} het\nvolgende geschreven:",
    f"wt., 24 lis 2026 o 10:00 {KARI} napisał(a):",
    "W dniu 24.11.2026 o 10:00, Kari Berg pisze:",
    "ti 24. marrask. 2026 klo 10.00 Kari Berg (kari@sender.example) kirjoitti:",
    f"Em ter., 24 de nov. de 2026 às 10:00, {KARI} escreveu:",
    f"út 24. 11. 2026 v 10:00 odesílatel {KARI} napsal:",
    f"вт, 24 нояб. 2026 г. в 10:00, {KARI}:",
    "24.11.2026 10:00, Kari Berg пишет:",
    "在 2026年11月24日，上午10:00，Kari Berg <kari@sender.example> 写道：",
    f"2026年11月24日(火) 10:00 {KARI}:",
    "Kari Berg <kari@sender.example>, 24 Kas 2026 Sal, 10:00 tarihinde şunu yazdı:",
    "Kari Berg skrev:",
]
# What stands above a quote that goes on to the end, unmarked.
BLOCKS = [
    f"-----Original Message-----\nFrom: {KARI}\nSent: Tuesday, November 24, 2026 10:00\nTo: Ola",
    f"-------- Opprinnelig melding --------\nFra: {KARI}\nDato: 24.11.2026 10:00\nTil: Ola",
    f"________________________________\nFra: {KARI}\nSendt: tirsdag 24. november 2026\nTil: Ola",
    f"Från: {KARI}\nSkickat: den 24 november 2026 10:00\nTill: Ola\nÄmne: Hej",
    f"Von: {KARI}\nGesendet: Dienstag, 24. November 2026\nAn: Ola\nBetreff: Hallo",
    f"Gesendet: Dienstag, 24. November 2026 um 10:00 Uhr\nVon: {KARI}\nAn: Ola",
    f"De : {KARI}\nEnvoyé : mardi 24 novembre 2026 10:00\nÀ : Ola\nObjet : Bonjour",
    f"De: {KARI}\nEnviado el: martes, 24 de noviembre de 2026\nPara: Ola\nAsunto: Hola",
    f"Da: {KARI}\nInviato: martedì 24 novembre 2026\nA: Ola\nOggetto: Ciao",
    f"Van: {KARI}\nVerzonden: dinsdag 24 november 2026\nAan: Ola\nOnderwerp: Hallo",
    f"Od: {KARI}\nWysłano: wtorek, 24 listopada 2026\nDo: Ola\nTemat: Witam",
    f"Lähettäjä: {KARI}\nLähetetty: tiistai 24. marraskuuta 2026\nVastaanottaja: Ola\nAihe: Hei",
    f"*From:* {KARI}\n*Sent:* Tuesday\n*To:* Ola\n*Subject:* Hello",
    f"发件人: {KARI}\n发送时间: 2026年11月24日\n收件人: Ola\n主题: Hello",
    f"Begin forwarded message:\n\nFrom: {KARI}\nSubject: Hello\nDate: 24 November 2026",
    f"Start på videresendt melding:\n\nFra: {KARI}\nEmne: Hei",
    f"---------- Forwarded message ---------\nFrom: {KARI}\nDate: Tue, Nov 24",
    f"On Tuesday, November 24, 2026 at 10:00:00 AM GMT+1, {KARI} wrote: ",
]
SIGNED = [
    "-- \nOla Hansen\nAcme AS",
    "--\nOla",
    "Sent from my iPhone",
    "Sendt fra min iPhone",
    "Skickat från min iPhone",
    "Von meinem iPhone gesendet",
    "Envoyé de mon iPhone",
    "Get Outlook for iOS",
    "Hent Outlook til iOS<https://aka.example/o>",
    "This e-mail and any attachments are confidential. If you are not the intended recipient,\n"
    "please delete it and remove it from your system.",
    "Denne e-posten er konfidensiell og kun tiltenkt mottakeren. Slett den.",
]


@pytest.mark.parametrize("quote", [PLAIN, MARKED])
@pytest.mark.parametrize("intro", WROTE)
def test_the_line_above_a_quote_is_known_in_many_tongues(intro: str, quote: str) -> None:
    if intro == "Kari Berg skrev:" and quote is PLAIN:
        intro += "  (24.11.2026) kari@sender.example:"
    assert written(f"Ja takk, gjerne.\n\n{intro}\n\n{quote}\n") == "Ja takk, gjerne."


@pytest.mark.parametrize("block", BLOCKS)
def test_behind_a_header_block_nothing_is_theirs(block: str) -> None:
    assert written(f"Ja takk, gjerne.\n\n{block}\n\n{PLAIN}\n") == "Ja takk, gjerne."


@pytest.mark.parametrize("signature", SIGNED)
def test_signatures_are_cut(signature: str) -> None:
    assert written(f"Ja takk, gjerne.\n\n{signature}\n") == "Ja takk, gjerne."


def test_a_greeting_and_a_name_stay_and_the_card_below_goes() -> None:
    text = "Ja takk.\n\nMed vennlig hilsen\nOla Hansen\nDaglig leder\nAcme AS | +47 22 33 44 55\n"
    assert written(text) == "Ja takk.\n\nMed vennlig hilsen\nOla Hansen"
    assert "PS: ring meg" in written(f"{text}\nPS: ring meg\n")


def test_answers_between_the_quotes_are_kept() -> None:
    text = (
        f"Hi Kari, see below.\n\n{WROTE[0]}\n> Do you key in vouchers by hand?\n\nYes, all of them."
    )
    text += "\n\n> Shall we talk?\n> Unsubscribe: https://a.example/u/x\n\nOn Monday.\n"
    assert written(text) == "Hi Kari, see below.\n\nYes, all of them.\n\nOn Monday."


def test_the_tail_of_a_broken_quoted_line_is_not_theirs() -> None:
    text = f"{WROTE[0]}\n> {'we help with their vouchers ' * 3}and\nunsubscribe here\n> Kari"
    assert written(f"Yes.\n\n{text}\n") == "Yes."


def test_answers_below_an_unmarked_quote_need_what_we_sent() -> None:
    text = f"{WROTE[0]}\n\n{OURS}\n\nYes, please."
    assert written(text) == ""
    assert written(text, sent=[OURS]) == "Yes, please."


def test_words_that_we_used_too_are_still_theirs() -> None:
    sent = [f"Hello Ola.\nShall I tell you more?\nYes\nNo\n{OURS}"]
    assert written("Yes", sent=sent) == "Yes"
    assert written("Yes\nTell me more, please\n", sent=sent) == "Yes\nTell me more, please"


@pytest.mark.parametrize(
    "text",
    [
        "On Monday I wrote to you:\nwhere is the answer?",
        "From: 9 to 16 is best.\nCall then.",
        "To: do list is long.\nDate: open. Ask in May.",
        "We wrote a plan in 2026:\n- one\n- two",
        "Ola skrev noe fint i går. Vi tar en prat?",
        "5 > 3, as you know.",
    ],
)
def test_what_people_write_themselves_is_not_taken_for_a_quote(text: str) -> None:
    assert written(text) == text


@given(text=st.text(alphabet=st.sampled_from("On wrote:>\n-_|@<. 2026"), max_size=300))
def test_no_text_raises(text: str) -> None:
    written(text, sent=["On wrote"])


@pytest.mark.parametrize("one", ["On 1.1.2026 a@b ", "> \n", "From: a@b\n", "wrote:\n", "skrev "])
def test_no_repetition_raises(one: str) -> None:
    written(one * (60_000 // len(one)), sent=[one * 100])


@pytest.mark.parametrize(
    "intro",
    [
        f"On Thu, 31 Mar 2026 at 11:16 Kari Berg\n\n<\nmailto:{KARI}\n> wrote:",
        '20 окт. 2026 г. 19:37 пользователь "Kari Berg" <\nkari@sender.example> написал:',
        f"{KARI} schrieb am Fr., 28.\nApr. 2026 um 11:53 Uhr:",
        "Kari Berg, 24.11.2026 10:00:",
        f"Quoting {KARI}:",
        f"{KARI} skrev i meddelandet news:123",
        "##- Please type your reply above this line -##",
    ],
)
def test_no_part_of_an_odd_introduction_is_left(intro: str) -> None:
    assert written(f"Ja takk, gjerne.\n\n{intro}\n\n{MARKED}\n") == "Ja takk, gjerne."


def test_what_is_passed_on_without_a_word_is_nobodys_answer() -> None:
    passed_on = "---------- Forwarded message ---------\nFrom: Eva <eva@b.example>\n"
    assert written(passed_on + "Subject: Hello\n\nYes, tell me more.", ["Hello Ola"]) == ""
