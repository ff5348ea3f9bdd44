"""yubikit, Yubico's own library, drives the YubiKey twin.

Only the connection is ours: yubikit's frames, its rules of what a refusal is, its
configurations and its reading of device information are what a real key meets.
What the twin types is checked by pyca/cryptography.
"""

import contextlib
import struct
import sys
from threading import Event
from unittest import mock

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from yubikit.core import PID, TRANSPORT, NotSupportedError, TimeoutError, Version
from yubikit.core.otp import CommandRejectedError, OtpConnection, OtpProtocol, check_crc
from yubikit.core.smartcard import ApduError, SmartCardConnection
from yubikit.management import (
    CAPABILITY,
    DeviceConfig,
    ManagementSession,
    Mode,
    USB_INTERFACE,
)
from yubikit.support import get_name, read_info
from yubikit.yubiotp import (
    SLOT,
    HmacSha1SlotConfiguration,
    HotpSlotConfiguration,
    NDEF_TYPE,
    StaticPasswordSlotConfiguration,
    StaticTicketSlotConfiguration,
    UpdateConfiguration,
    YubiOtpSession,
    YubiOtpSlotConfiguration,
)
from ykman.hid.base import OtpYubiKeyDevice
from ykman.scancodes import KEYBOARD_LAYOUT, encode

from twin import Checks, Gone, modhex_decode, raises, text

FIRMWARES = ["2.2.3", "2.3.0", "2.4.0", "3.0.0", "3.1.0", "3.4.0", "4.0.0", "4.3.4", "4.4.5", "5.1.2", "5.4.3", "5.7.1"]
# Not the Plus (4.0), which has OTP and FIDO only.
WITH_CARD = ["3.0.0", "3.1.0", "3.4.0", "4.3.4", "4.4.5", "5.1.2", "5.4.3", "5.7.1"]
SERIAL = 12345678
RFC4226 = b"12345678901234567890"
CODE = bytes.fromhex("010203040506")
OTHER = bytes.fromhex("0f0e0d0c0b0a")
NONE = bytes(6)

checks = Checks()


class Hid(OtpConnection):
    """yubikit's HID connection, with the twin behind it."""

    def __init__(self, twin):
        self._twin = twin

    def receive(self):
        return self._twin.get_feature()

    def send(self, data):
        self._twin.set_feature(data)


class Card(SmartCardConnection):
    """yubikit's smart-card connection, with the twin behind it."""

    transport = TRANSPORT.USB

    def __init__(self, twin):
        self._twin = twin

    def send_and_receive(self, apdu):
        answer = self._twin.apdu(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")


@contextlib.contextmanager
def time_of(twin):
    """Lets yubikit's waiting pass as time of the twin."""

    class TwinEvent:
        def wait(self, seconds):
            twin.sleep(seconds)
            return False

    with (
        mock.patch("yubikit.core.otp.sleep", twin.sleep),
        mock.patch("yubikit.core.otp.Event", TwinEvent),
        mock.patch("ykman.hid.base.sleep", twin.sleep),
    ):
        yield


def otp(twin):
    return YubiOtpSession(Hid(twin))


def old(configuration, twin):
    """Takes out of yubikit's defaults what the firmware does not know."""
    if twin.version < (2, 3, 0):
        configuration.allow_update(False)
        if hasattr(configuration, "fast_trigger"):
            configuration.fast_trigger(False)
    return configuration


def hotp(twin, key=RFC4226):
    return old(HotpSlotConfiguration(key), twin)


def codes(key, counters, digits=6):
    generator = HOTP(key, digits, SHA1(), enforce_key_length=False)
    return [generator.generate(counter).decode() for counter in counters]


def configured(session):
    state = session.get_config_state()
    return state.is_configured(SLOT.ONE), state.is_configured(SLOT.TWO)


def decrypt(key, block):
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    plain = decryptor.update(block) + decryptor.finalize()
    assert check_crc(plain), "checksum inside the OTP"
    return plain


class YubicoOtp:
    """What is inside a typed Yubico OTP."""

    def __init__(self, typed, key):
        assert typed.endswith("\n")
        word = typed.strip()
        self.public_id, block = modhex_decode(word[:-32]), modhex_decode(word[-32:])
        plain = decrypt(key, block)
        self.private_id = plain[:6]
        self.counter, low, high, self.session, self.random = struct.unpack("<HHBBH", plain[6:14])
        self.timestamp = high << 16 | low


# -- What the key says of itself


@checks.test()
def a_new_key_is_empty(twin):
    session = otp(twin)
    assert session.version == Version(*twin.version)
    assert configured(session) == (False, False)
    assert session.get_serial() == SERIAL


@checks.test()
def ykman_names_it(twin):
    pid = {2: 0x0010, 3: 0x0116, 4: 0x0407, 5: 0x0407}[twin.version[0]]
    pid = PID(0x0410 if twin.version[:2] == (4, 0) else pid)
    info = read_info(Hid(twin), pid)
    assert info.serial == SERIAL
    assert info.version == Version(*twin.version)
    names = {
        "2": "YubiKey Standard",
        "3": "YubiKey NEO",
        "4.0": "YubiKey Plus",
        "4.3": "YubiKey 4",
        "4.4": "YubiKey FIPS (4 Series)",
        "5": "YubiKey 5 NFC",
    }
    found = [name for start, name in names.items() if twin.firmware.startswith(start)]
    assert get_name(info, pid.yubikey_type) == found[0], get_name(info, pid.yubikey_type)


@checks.test(since="4.1.0")
def device_info_is_read(twin):
    info = ManagementSession(Hid(twin)).read_device_info()
    assert info.serial == SERIAL
    assert info.version == Version(*twin.version) or twin.version < (5, 0, 0)
    assert not info.is_locked
    assert CAPABILITY.OTP in info.supported_capabilities[TRANSPORT.USB]
    if twin.version >= (5, 7, 0):
        assert info.part_number
        assert info.version_qualifier.version == info.version


@checks.test(before="4.1.0", since="3.0.0")
def device_info_is_refused(twin):
    with raises(CommandRejectedError):
        OtpProtocol(Hid(twin)).send_and_receive(0x13, b"\0")


@checks.test()
def a_slot_without_the_flag_hides_the_serial(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin).serial_api_visible(False))
    with raises(CommandRejectedError):
        session.get_serial()
    session.put_configuration(SLOT.TWO, hotp(twin))
    assert session.get_serial() == SERIAL


# -- HOTP


@checks.test()
def hotp_types_six_digits(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    assert configured(session) == (True, False)
    for code in codes(RFC4226, range(10)):
        assert twin.typed() == code + "\n"


@checks.test()
def hotp_types_eight_digits_from_slot_2(twin):
    session = otp(twin)
    session.put_configuration(SLOT.TWO, hotp(twin).digits8(True).append_cr(False))
    assert configured(session) == (False, True)
    assert twin.typed(1) == ""
    for code in codes(RFC4226, range(5), 8):
        assert twin.typed(2) == code


@checks.test()
def hotp_counters_start_anywhere_and_survive_power(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin).imf(0xFFFF0))
    assert twin.typed() == codes(RFC4226, [0xFFFF0])[0] + "\n"
    twin.power()
    assert twin.typed() == codes(RFC4226, [0xFFFF1])[0] + "\n"


@checks.test()
def hotp_keys_may_be_short_or_long(twin):
    session = otp(twin)
    for length in (1, 10, 16, 19, 20):
        key = bytes(range(1, length + 1))
        session.put_configuration(SLOT.ONE, hotp(twin, key))
        # The key pads with zeros, and so does HMAC.
        assert twin.typed() == codes(key, [0])[0] + "\n", length
    long = bytes(range(100))
    session.put_configuration(SLOT.ONE, hotp(twin, long))
    assert twin.typed() == codes(long, [0])[0] + "\n"


@checks.test()
def hotp_types_token_ids_in_four_ways(twin):
    session = otp(twin)
    token_id = bytes.fromhex("e1e200112233")
    for one, two, wanted in [
        (False, False, "e1e200112233"),
        (True, False, "ube200112233"),
        (False, True, "ubud00112233"),
        (True, True, "ubudccbbddee"),
    ]:
        session.put_configuration(SLOT.ONE, hotp(twin).token_id(token_id, one, two))
        assert twin.typed() == wanted + codes(RFC4226, [0])[0] + "\n"


@checks.test(since="2.3.0")
def hotp_types_on_the_numeric_keypad(twin):
    otp(twin).put_configuration(SLOT.ONE, hotp(twin).use_numeric(True))
    reports = twin.touch()
    usages = [report[2] for report in reports[::2]]
    assert all(0x59 <= usage <= 0x62 for usage in usages[:-1]) and usages[-1] == 0x28
    assert text(reports) == codes(RFC4226, [0])[0] + "\n"


# -- Yubico OTP

PUBLIC, PRIVATE, AES = bytes.fromhex("ff0011223344"), b"secret", bytes(range(16))


@checks.test()
def yubico_otps_decrypt_and_count(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, old(YubiOtpSlotConfiguration(PUBLIC, PRIVATE, AES), twin))
    first, second = YubicoOtp(twin.typed(), AES), YubicoOtp(twin.typed(), AES)
    assert first.public_id == PUBLIC and first.private_id == PRIVATE
    assert (first.counter, first.session) == (1, 0)
    assert (second.counter, second.session) == (1, 1)
    assert first.random != second.random
    twin.sleep(100)
    third = YubicoOtp(twin.typed(), AES)
    assert 780 <= (third.timestamp - second.timestamp) % (1 << 24) <= 820, "eight a second"
    twin.power()
    fourth = YubicoOtp(twin.typed(), AES)
    assert (fourth.counter, fourth.session) == (2, 0)


@checks.test()
def yubico_otps_count_on_after_255_in_a_session(twin):
    session = otp(twin)
    session.put_configuration(SLOT.TWO, old(YubiOtpSlotConfiguration(b"", PRIVATE, AES), twin))
    for _ in range(256):
        last = YubicoOtp(twin.typed(2), AES)
    assert (last.counter, last.session) == (1, 255)
    last = YubicoOtp(twin.typed(2), AES)
    assert (last.counter, last.session) == (2, 0)


@checks.test()
def tabs_and_the_reference_string_are_typed(twin):
    session = otp(twin)
    configuration = old(YubiOtpSlotConfiguration(PUBLIC, PRIVATE, AES), twin)
    configuration.tabs(before=True, after_first=True, after_second=True).send_reference(True)
    session.put_configuration(SLOT.ONE, configuration)
    _, first, second, end = twin.typed().split("\t")
    assert first == "cbdefghijklnrtuvvvccbbddeeff"
    assert len(second) == 32 and end == "\n"
    decrypt(AES, modhex_decode(second))


# -- Static passwords


@checks.test()
def static_passwords_are_typed(twin):
    session = otp(twin)
    password = "Enrollment.Station.0123456789.vVvVvVvV"
    assert len(password) == 38
    for word in ("a", password):
        codes_ = encode(word, KEYBOARD_LAYOUT.US)
        session.put_configuration(SLOT.TWO, old(StaticPasswordSlotConfiguration(codes_), twin))
        assert twin.typed(2) == word + "\n"


@checks.test()
def static_tickets_never_change(twin):
    session = otp(twin)
    configuration = old(StaticTicketSlotConfiguration(PUBLIC, PRIVATE, AES), twin)
    session.put_configuration(SLOT.ONE, configuration)
    ticket = twin.typed()
    assert len(ticket) == 12 + 32 + 1
    assert decrypt(AES, modhex_decode(ticket[12:44]))[:6] == PRIVATE
    twin.power()
    assert twin.typed() == ticket
    session.put_configuration(SLOT.ONE, configuration.short_ticket(True))
    assert twin.typed() == ticket[:28] + "\n"


# -- Challenges


def hmac(key, challenge):
    mac = HMAC(key, SHA1())
    mac.update(challenge)
    return mac.finalize()


@checks.test()
def challenges_of_any_length_are_answered(twin):
    session = otp(twin)
    session.put_configuration(SLOT.TWO, old(HmacSha1SlotConfiguration(RFC4226), twin))
    assert twin.touch(2) == []
    for challenge in (b"x", b"\0", b"\1\0", b"Sample #2", bytes(8), bytes(63), b"y" * 63, b"z" * 64):
        # 64 equal bytes cannot be told from padding, by a real key either.
        wanted = b"" if len(challenge) == 64 else challenge
        assert session.calculate_hmac_sha1(SLOT.TWO, challenge) == hmac(RFC4226, wanted), challenge
    session.put_configuration(SLOT.TWO, old(HmacSha1SlotConfiguration(RFC4226), twin).lt64(False))
    assert session.calculate_hmac_sha1(SLOT.TWO, b"x") == hmac(RFC4226, b"x".ljust(64, b"\0"))


@checks.test()
def the_documented_challenge_has_the_documented_answer(twin):
    # NIST PUB 198 A.2, as the manual of ykchalresp(1) sends it.
    key = bytes.fromhex("303132333435363738393a3b3c3d3e3f40414243")
    session = otp(twin)
    session.put_configuration(SLOT.ONE, old(HmacSha1SlotConfiguration(key), twin))
    answer = session.calculate_hmac_sha1(SLOT.ONE, b"Sample #2")
    assert answer.hex() == "0922d3405faa3d194f82a45830737d5cc6c75d24"


@checks.test()
def challenges_wait_for_a_touch(twin):
    session = otp(twin)
    configuration = old(HmacSha1SlotConfiguration(RFC4226), twin).require_touch(True)
    session.put_configuration(SLOT.TWO, configuration)
    asked = []

    def touch(status):
        asked.append(status)
        if len(asked) == 20:
            assert twin.touch() == []

    answer = session.calculate_hmac_sha1(SLOT.TWO, b"challenge", on_keepalive=touch)
    assert answer == hmac(RFC4226, b"challenge") and len(asked) >= 20
    # The touch was used up: nobody touches again, and 15 s pass.
    with raises(TimeoutError):
        session.calculate_hmac_sha1(SLOT.TWO, b"challenge")
    assert session.get_serial() == SERIAL


@checks.test()
def a_wait_for_a_touch_can_be_called_off(twin):
    session = otp(twin)
    configuration = old(HmacSha1SlotConfiguration(RFC4226), twin).require_touch(True)
    session.put_configuration(SLOT.TWO, configuration)
    event = Event()
    event.set()
    with raises(TimeoutError):
        session.calculate_hmac_sha1(SLOT.TWO, b"challenge", event)
    assert session.get_serial() == SERIAL


@checks.test()
def a_challenge_to_another_slot_is_refused(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    for slot in SLOT:
        with raises(CommandRejectedError):
            session.calculate_hmac_sha1(slot, b"challenge")


@checks.test()
def yubico_challenges_are_answered_anew_each_time(twin):
    session = otp(twin)
    configuration = old(HmacSha1SlotConfiguration(AES), twin)
    # yubikit has no class for this mode: 0x20 instead of 0x22 in the last flags.
    config = bytearray(configuration.get_config()[:-2])
    config[47] = 0x20
    config[16:22] = PRIVATE
    config += struct.pack("<H", 0xFFFF & ~crc(config))
    session._write_config(0x01, bytes(config), None)
    answers = [session.backend.send_and_receive(0x20, b"\1\2\3\4\5\6", 16) for _ in range(2)]
    assert answers[0] != answers[1]
    for answer in answers:
        decrypt(AES, answer)


def crc(data):
    from yubikit.core.otp import calculate_crc

    return calculate_crc(bytes(data))


# -- Changing slots


@checks.test()
def slots_are_deleted(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    session.put_configuration(SLOT.TWO, hotp(twin))
    session.delete_slot(SLOT.ONE)
    assert configured(session) == (False, True)
    session.delete_slot(SLOT.TWO)
    assert configured(session) == (False, False)
    assert configured(otp(twin)) == (False, False)
    assert twin.touch(1) == twin.touch(2) == []


@checks.test(since="2.3.0")
def slots_are_swapped_with_their_counters(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    session.put_configuration(SLOT.TWO, YubiOtpSlotConfiguration(PUBLIC, PRIVATE, AES))
    twin.typed(1), twin.typed(2)
    session.swap_slots()
    assert twin.typed(2) == codes(RFC4226, [1])[0] + "\n"
    assert YubicoOtp(twin.typed(1), AES).session == 1


@checks.test(since="2.3.0")
def slots_that_allow_no_update_are_not_swapped(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin).allow_update(False))
    session.put_configuration(SLOT.TWO, hotp(twin))
    with raises(CommandRejectedError):
        session.swap_slots()


@checks.test(since="2.3.0")
def settings_are_updated_and_the_secret_stays(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    twin.typed()
    session.update_configuration(SLOT.ONE, UpdateConfiguration().append_cr(False).use_numeric(True))
    assert twin.typed() == codes(RFC4226, [1])[0]
    session.update_configuration(SLOT.ONE, UpdateConfiguration().tabs(before=True))
    assert twin.typed() == "\t" + codes(RFC4226, [2])[0] + "\n"


@checks.test(since="2.3.0")
def settings_are_not_updated_when_that_is_not_allowed(twin):
    session = otp(twin)
    with raises(CommandRejectedError):
        session.update_configuration(SLOT.ONE, UpdateConfiguration())
    session.put_configuration(SLOT.ONE, hotp(twin).allow_update(False))
    with raises(CommandRejectedError):
        session.update_configuration(SLOT.ONE, UpdateConfiguration())


@checks.test(before="2.3.0")
def updates_and_swaps_came_with_2_3(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    with raises(CommandRejectedError):
        session.update_configuration(SLOT.ONE, UpdateConfiguration())
    with raises(CommandRejectedError):
        session.swap_slots()
    with raises(CommandRejectedError):
        session.put_configuration(SLOT.ONE, HotpSlotConfiguration(RFC4226))


@checks.test(since="2.3.0")
def a_dormant_slot_sleeps_until_an_update(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin).dormant(True))
    assert twin.touch() == []
    session.update_configuration(SLOT.ONE, UpdateConfiguration())
    assert twin.typed() == codes(RFC4226, [0])[0] + "\n"


@checks.test()
def led_inversion_is_known_from_2_4_and_3_1_on(twin):
    session = otp(twin)
    known = twin.version >= (2, 4, 0) and twin.version[:2] != (3, 0)
    with contextlib.nullcontext() if known else raises(CommandRejectedError):
        session.put_configuration(SLOT.ONE, hotp(twin).invert_led(True))
    assert session.get_config_state().is_led_inverted() == known


@checks.test(since="3.0.0")
def touch_triggered_slots_are_told(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    session.put_configuration(SLOT.TWO, HmacSha1SlotConfiguration(RFC4226))
    state = session.get_config_state()
    assert state.is_touch_triggered(SLOT.ONE) and not state.is_touch_triggered(SLOT.TWO)


# -- Access codes


@checks.test()
def an_access_code_guards_writing_and_deleting(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin), acc_code=CODE)
    for wrong in (None, OTHER):
        with raises(CommandRejectedError):
            session.put_configuration(SLOT.ONE, hotp(twin), cur_acc_code=wrong)
        with raises(CommandRejectedError):
            session.delete_slot(SLOT.ONE, wrong)
    session.put_configuration(SLOT.TWO, hotp(twin))
    session.put_configuration(SLOT.ONE, hotp(twin), acc_code=OTHER, cur_acc_code=CODE)
    with raises(CommandRejectedError):
        session.delete_slot(SLOT.ONE, CODE)
    session.delete_slot(SLOT.ONE, OTHER)
    assert configured(session) == (False, True)
    session.put_configuration(SLOT.ONE, hotp(twin))


@checks.test(since="2.3.0")
def an_access_code_guards_updating_and_swapping(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin), acc_code=CODE)
    for wrong in (None, OTHER):
        with raises(CommandRejectedError, NotSupportedError):
            session.update_configuration(SLOT.ONE, UpdateConfiguration(), wrong, wrong)
    with raises(CommandRejectedError):
        session.swap_slots()
    session.update_configuration(SLOT.ONE, UpdateConfiguration().append_cr(False), CODE, CODE)
    assert twin.typed() == codes(RFC4226, [0])[0]
    with raises(CommandRejectedError):
        session.delete_slot(SLOT.ONE)


@checks.test(since="2.3.0")
def an_access_code_is_set_and_removed_by_update(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    if (4, 3, 2) <= twin.version <= (4, 3, 5):
        # yubikit knows that these do not do it, and does not ask them.
        with raises(NotSupportedError):
            session.update_configuration(SLOT.ONE, UpdateConfiguration(), acc_code=CODE)
        session._write_config(0x04, UpdateConfiguration().get_config(CODE), None)
        session.delete_slot(SLOT.ONE)
        return
    session.update_configuration(SLOT.ONE, UpdateConfiguration(), acc_code=CODE)
    with raises(CommandRejectedError):
        session.delete_slot(SLOT.ONE)
    session.update_configuration(SLOT.ONE, UpdateConfiguration(), acc_code=NONE, cur_acc_code=CODE)
    session.delete_slot(SLOT.ONE)


@checks.test(only=["4.3.4"])
def three_updates_with_the_code_spoil_a_slot(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin), acc_code=CODE)
    for _ in range(3):
        session.update_configuration(SLOT.ONE, UpdateConfiguration(), CODE, CODE)
    with raises(CommandRejectedError):
        session.update_configuration(SLOT.ONE, UpdateConfiguration(), CODE, CODE)
    with raises(CommandRejectedError):
        session.get_serial()
    session.delete_slot(SLOT.ONE, CODE)
    assert session.get_serial() == SERIAL


@checks.test()
def slot_2_can_be_protected(twin):
    session = otp(twin)
    session.put_configuration(SLOT.TWO, hotp(twin))
    session.put_configuration(SLOT.ONE, hotp(twin).protect_slot2(True))
    with raises(CommandRejectedError):
        session.put_configuration(SLOT.TWO, hotp(twin))
    session.put_configuration(SLOT.ONE, hotp(twin))
    session.put_configuration(SLOT.TWO, hotp(twin))


# -- Settings of the device


@checks.test(since="3.0.0")
def a_scan_map_changes_what_is_typed(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    # French: digits need shift.
    order = "cbdefghijklnrtuvCBDEFGHIJKLNRTUV0123456789!\t\n"
    layout = KEYBOARD_LAYOUT.US.value
    usages = bytearray(layout[character] for character in order)
    for at, character in enumerate(order):
        if character.isdigit():
            usages[at] |= 0x80
    usages[order.index("!")] = 0x38
    session.set_scan_map(bytes(usages))
    shifted = [report[0] for report in twin.touch()[::2]]
    assert shifted == [2] * 6 + [0]
    session.set_scan_map(bytes(45))
    assert twin.typed() == codes(RFC4226, [1])[0] + "\n"


@checks.test(before="3.0.0")
def scan_maps_came_with_3_0(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    with raises(CommandRejectedError):
        session.set_scan_map(bytes(45))


@checks.test()
def ndef_records_are_for_keys_with_nfc(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin), acc_code=CODE)
    known = twin.version[0] in (3, 5)
    for slot in SLOT:
        with contextlib.nullcontext() if known else raises(CommandRejectedError):
            session.set_ndef_configuration(slot, cur_acc_code=CODE)
            session.set_ndef_configuration(slot, "hello", CODE, NDEF_TYPE.TEXT)
    with raises(CommandRejectedError):
        session.set_ndef_configuration(SLOT.ONE)


@checks.test(only=WITH_CARD)
def interfaces_change_at_the_next_power_up(twin):
    session = otp(twin)
    management = ManagementSession(Hid(twin))
    management.set_mode(Mode(USB_INTERFACE.OTP))
    assert Card(twin).send_and_receive(bytes.fromhex("00a4040007a0000005272001"))[1] == 0x9000
    twin.power()
    with raises(Gone):
        Card(twin).send_and_receive(bytes.fromhex("00a4040007a0000005272001"))
    assert otp(twin).get_serial() == SERIAL
    ManagementSession(Hid(twin)).set_mode(Mode(USB_INTERFACE.FIDO))
    twin.power()
    with raises(Gone):
        session.get_serial()


@checks.test(since="3.0.0", before="5.0.0")
def an_access_code_guards_the_mode(twin):
    session = otp(twin)
    session.put_configuration(SLOT.TWO, hotp(twin), acc_code=CODE)
    with raises(CommandRejectedError):
        ManagementSession(Hid(twin)).set_mode(Mode(USB_INTERFACE.OTP | USB_INTERFACE.FIDO))


@checks.test(since="5.0.0")
def the_configuration_can_be_locked(twin):
    management = ManagementSession(Hid(twin))
    lock, wrong = bytes(range(1, 17)), bytes(range(2, 18))
    management.write_device_config(new_lock_code=lock)
    assert management.read_device_info().is_locked
    config = DeviceConfig({TRANSPORT.USB: CAPABILITY.OTP | CAPABILITY.OATH}, 60, 20)
    for code in (None, wrong):
        with raises(CommandRejectedError):
            management.write_device_config(config, cur_lock_code=code)
    management.write_device_config(config, cur_lock_code=lock)
    info = management.read_device_info()
    assert info.config.enabled_capabilities[TRANSPORT.USB] == CAPABILITY.OTP | CAPABILITY.OATH
    assert (info.config.auto_eject_timeout, info.config.challenge_response_timeout) == (60, 20)
    management.write_device_config(cur_lock_code=lock, new_lock_code=bytes(16))
    assert not management.read_device_info().is_locked


@checks.test(since="5.0.0")
def a_restart_brings_the_new_interfaces(twin):
    management = ManagementSession(Hid(twin))
    config = DeviceConfig({TRANSPORT.USB: CAPABILITY.OTP})
    management.write_device_config(config, reboot=True)
    twin.sleep(1)
    with raises(Gone):
        Card(twin).send_and_receive(bytes.fromhex("00a4040007a0000005272001"))


# -- The smart-card door


@checks.test(only=WITH_CARD)
def the_card_does_the_same(twin):
    session = YubiOtpSession(Card(twin))
    assert session.version == Version(*twin.version)
    assert session.get_serial() == SERIAL
    session.put_configuration(SLOT.ONE, hotp(twin), acc_code=CODE)
    session.put_configuration(SLOT.TWO, HmacSha1SlotConfiguration(RFC4226))
    assert configured(session) == (True, True)
    assert session.calculate_hmac_sha1(SLOT.TWO, b"x") == hmac(RFC4226, b"x")
    with raises(CommandRejectedError):
        session.delete_slot(SLOT.ONE)
    session.delete_slot(SLOT.ONE, CODE)
    with raises(ApduError):
        session.calculate_hmac_sha1(SLOT.ONE, b"x")
    session.delete_slot(SLOT.TWO)
    # Firmware 5.0.0 to 5.4.2 goes on showing the slot; yubikit knows.
    forgets = (5, 0, 0) <= twin.version < (5, 4, 3)
    assert configured(session) == (False, forgets)


@checks.test(since="4.1.0")
def the_card_tells_device_info(twin):
    info = ManagementSession(Card(twin)).read_device_info()
    assert info.serial == SERIAL
    twin.sleep(4)
    assert info == ManagementSession(Hid(twin)).read_device_info()


@checks.test(since="5.0.0")
def the_card_locks_the_configuration(twin):
    management = ManagementSession(Card(twin))
    management.write_device_config(new_lock_code=bytes(range(1, 17)))
    assert management.read_device_info().is_locked
    with raises(ApduError):
        management.write_device_config(DeviceConfig({TRANSPORT.USB: CAPABILITY.OTP}))


@checks.test(only=WITH_CARD)
def after_the_card_otp_takes_three_seconds(twin):
    YubiOtpSession(Card(twin))
    with raises(CommandRejectedError):
        otp(twin).get_serial()
    # ykman waits for it when it opens the device.
    pid = 0x0116 if twin.version[0] == 3 else 0x0407
    device = OtpYubiKeyDevice("", pid, lambda _: Hid(twin))
    device.supports_connection = lambda _: True
    with device.open_connection(OtpConnection) as connection:
        assert YubiOtpSession(connection).get_serial() == SERIAL


@checks.test(since="3.0.0", before="4.0.0")
def a_neo_shows_what_the_card_changed_after_the_probe(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    YubiOtpSession(Card(twin)).put_configuration(SLOT.TWO, hotp(twin))
    twin.sleep(4)
    assert Hid(twin).receive()[4] == 1, "cached"
    assert configured(otp(twin)) == (True, True)


# -- What goes wrong


@checks.test(options=["--slot1", "occupied", "--slot2", "occupied", "--no-serial"])
def an_occupied_key_can_hide_its_serial(twin):
    session = otp(twin)
    assert configured(session) == (True, True)
    with raises(CommandRejectedError):
        session.get_serial()


@checks.test(options=["--fault", "refuse-writes=1"])
def a_refused_write_is_seen(twin):
    session = otp(twin)
    with raises(CommandRejectedError):
        session.put_configuration(SLOT.ONE, hotp(twin))
    session.put_configuration(SLOT.ONE, hotp(twin))


# Not with a NEO: yubikit sends it a command before the test does.
@checks.test(options=["--fault", "pull-out-after-reports=3"], but=3)
def a_key_that_is_pulled_out_keeps_what_it_had(twin):
    session = otp(twin)
    with raises(Gone):
        session.put_configuration(SLOT.ONE, hotp(twin))
    twin.power()
    assert configured(otp(twin)) == (False, False)


@checks.test(options=["--fault", "stale-status", "--slot1", "occupied"])
def a_status_that_is_out_of_date_is_shaken_loose(twin):
    twin.power()
    assert configured(otp(twin)) == (True, False)


@checks.test(real_time=True, only=["3.4.0", "5.4.3"])
def nothing_depends_on_the_stand_in_for_time(twin):
    session = otp(twin)
    session.put_configuration(SLOT.ONE, hotp(twin))
    session.put_configuration(SLOT.TWO, HmacSha1SlotConfiguration(RFC4226))
    assert session.calculate_hmac_sha1(SLOT.TWO, b"x") == hmac(RFC4226, b"x")
    session.swap_slots()
    assert twin.typed(2) == codes(RFC4226, [0])[0] + "\n"
    session.delete_slot(SLOT.ONE)
    session.delete_slot(SLOT.TWO)


if __name__ == "__main__":
    sys.exit(checks.run(sys.argv[1:] or FIRMWARES, time_of))
