"""python-yubico, Yubico's older library, drives the YubiKey twin.

It was written by others than yubikit, waits differently, resets with 0x8F, never
shakes a NEO's status loose, and pads challenges with 0xFF.
"""

import contextlib
import sys
import warnings
from unittest import mock

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

# It compares strings with "is", which works and warns.
warnings.filterwarnings("ignore", category=SyntaxWarning)

from yubico import yubikey_4_usb_hid, yubikey_neo_usb_hid, yubikey_usb_hid  # noqa: E402
from yubico.yubikey_base import YubiKeyTimeout  # noqa: E402
from yubico.yubikey_usb_hid import YubiKeyHIDDevice, YubiKeyUSBHIDError  # noqa: E402

from twin import Checks, modhex_decode, raises  # noqa: E402

FIRMWARES = ["2.2.3", "2.3.0", "2.4.0", "3.1.0", "3.4.0", "4.3.4", "5.1.2", "5.4.3", "5.7.1"]
SERIAL = 12345678
RFC4226 = b"12345678901234567890"
CODE = b"\1\2\3\4\5\6"

checks = Checks()


class Device(YubiKeyHIDDevice):
    """Its HID device, with the twin behind it."""

    def __init__(self, twin):
        self._twin = twin
        super().__init__()

    def _open(self, skip=0):
        return True

    def _read(self):
        return self._twin.get_feature()

    def _raw_write(self, data, debug_str=None):
        self._twin.set_feature(data)
        return len(data)


@contextlib.contextmanager
def time_of(twin):
    with mock.patch("yubico.yubikey_usb_hid.time.sleep", twin.sleep):
        yield


def open_key(twin):
    kind = {
        2: yubikey_usb_hid.YubiKeyUSBHID,
        3: yubikey_neo_usb_hid.YubiKeyNEO_USBHID,
    }.get(twin.version[0], yubikey_4_usb_hid.YubiKey4_USBHID)
    return kind(hid_device=Device(twin))


def hotp_config(key, digits=6):
    config = key.init_config()
    config.mode_oath_hotp(RFC4226, digits)
    config.ticket_flag("APPEND_CR", True)
    config.extended_flag("SERIAL_API_VISIBLE", True)
    if key.version_num() >= (2, 3, 0):
        config.extended_flag("ALLOW_UPDATE", True)
    return config


def code(counter, digits=6):
    return HOTP(RFC4226, digits, SHA1()).generate(counter).decode()


@checks.test()
def the_serial_is_read(twin):
    key = open_key(twin)
    assert key.version() == twin.firmware
    assert key.serial() == SERIAL


@checks.test(since="4.1.0")
def the_capabilities_are_read(twin):
    assert open_key(twin).capabilities.have_usb_mode(6)


@checks.test()
def hotp_is_written_and_typed(twin):
    key = open_key(twin)
    key.write_config(hotp_config(key, 8), slot=2)
    key.write_config(hotp_config(key), slot=1)
    assert key.status().valid_configs() == [1, 2]
    assert twin.typed() == code(0) + "\n"
    assert twin.typed(2) == code(0, 8) + "\n"


@checks.test()
def hotp_with_a_token_id(twin):
    # Its moving factor is little-endian, which yubikit's is not, so it is not used.
    key = open_key(twin)
    config = key.init_config()
    config.mode_oath_hotp(RFC4226, 6, omp=0xE1, tt=0xE2, mui=b"h:00112233")
    config.config_flag("OATH_FIXED_MODHEX2", True)
    key.write_config(config)
    assert twin.typed() == "ubud00112233" + code(0)


@checks.test()
def without_the_flag_there_is_no_serial(twin):
    key = open_key(twin)
    config = key.init_config()
    config.mode_oath_hotp(RFC4226)
    key.write_config(config)
    with raises(YubiKeyTimeout):
        key.serial()


@checks.test()
def challenges_are_answered(twin):
    key = open_key(twin)
    config = key.init_config()
    config.mode_challenge_response(RFC4226, type="HMAC")
    key.write_config(config, slot=2)
    for challenge in (b"x", b"ends in zero\0", bytes(8), b"y" * 63):
        mac = HMAC(RFC4226, SHA1())
        mac.update(challenge)
        assert key.challenge_response(challenge, slot=2) == mac.finalize()


@checks.test()
def challenges_wait_for_a_touch(twin):
    key = open_key(twin)
    config = key.init_config()
    config.mode_challenge_response(RFC4226, type="HMAC", require_button=True)
    config.extended_flag("SERIAL_API_VISIBLE", True)
    key.write_config(config, slot=2)
    with raises(YubiKeyTimeout):
        key.challenge_response(b"x", slot=2, may_block=False)
    # It leaves the wait as it is; a reset ends it.
    key._device._write_reset()
    assert key.serial() == SERIAL


@checks.test()
def yubico_challenges_are_answered(twin):
    key = open_key(twin)
    config = key.init_config()
    config.mode_challenge_response(RFC4226[:16], type="OTP")
    key.write_config(config)
    answers = [key.challenge_response(b"abcdef", mode="OTP") for _ in range(2)]
    assert len(answers[0]) == 16 and answers[0] != answers[1]


@checks.test()
def yubico_otps_are_typed(twin):
    key = open_key(twin)
    config = key.init_config()
    config.fixed_string("m:ccccccbcgujh")
    config.mode_yubikey_otp(b"secret", RFC4226[:16])
    key.write_config(config)
    typed = twin.typed()
    assert typed.startswith("ccccccbcgujh") and len(modhex_decode(typed)) == 22


@checks.test()
def access_codes_guard(twin):
    key = open_key(twin)
    config = hotp_config(key)
    config.access_key(CODE)
    key.write_config(config)
    with raises(YubiKeyUSBHIDError):
        key.write_config(hotp_config(key))
    # Unlocking keeps the code, unless another is given: zero is none.
    for new in (CODE, bytes(6)):
        config = hotp_config(key)
        config.access_key(new)
        config.unlock_key(CODE)
        key.write_config(config)
    key.write_config(hotp_config(key))


@checks.test(since="2.3.0")
def slots_are_swapped_and_zapped(twin):
    key = open_key(twin)
    key.write_config(hotp_config(key))
    swap = key.init_config(swap=True)
    key.write_config(swap)
    assert key.status().valid_configs() == [2]
    assert twin.typed(2) == code(0) + "\n"
    key.write_config(key.init_config(zap=True), slot=2)
    assert key.status().valid_configs() == []


@checks.test(since="2.3.0")
def settings_are_updated(twin):
    key = open_key(twin)
    key.write_config(hotp_config(key))
    update = key.init_config(update=True)
    update.ticket_flag("TAB_FIRST", True)
    update.extended_flag("ALLOW_UPDATE", True)
    key.write_config(update)
    assert twin.typed() == "\t" + code(0)


@checks.test(since="3.0.0", before="4.0.0")
def a_neo_takes_an_ndef_record(twin):
    key = open_key(twin)
    key.write_config(hotp_config(key))
    key.write_ndef(yubikey_neo_usb_hid.YubiKeyNEO_NDEF(b"http://www.example.org/"))


@checks.test(since="3.0.0")
def a_scan_map_is_taken(twin):
    key = open_key(twin)
    key.write_config(hotp_config(key))
    # Letters as on a US keyboard, digits from the numeric keypad.
    letters = "06050708090a0b0c0d0e0f1115171819"
    capitals = bytes(usage | 0x80 for usage in bytes.fromhex(letters)).hex()
    digits = "62" + "".join(f"{usage:02x}" for usage in range(0x59, 0x62))
    key.write_scan_map(f"h:{letters}{capitals}{digits}9e2b28".encode())
    assert [report[2] for report in twin.touch()[:2:2]] == [0x5F]  # 7 of 755224


if __name__ == "__main__":
    sys.exit(checks.run(sys.argv[1:] or FIRMWARES, time_of))
