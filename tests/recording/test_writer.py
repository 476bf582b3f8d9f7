"""A record is bounded, says why it ends early, and never disturbs what it records."""

from io import BytesIO
from pathlib import Path

import pytest

from app.recording import Cut, TapeWriter
from app.recording.tape import Memory
from app.recording.writer import UnwritableTape


def test_the_record_before_is_kept_once(tmp_path):
    path = tmp_path / "deep" / "run.jsonl"
    for number in range(3):
        writer = TapeWriter(path, 1)
        writer.put(Memory(str(number), b""))
        writer.close()
    assert '"owner":"2"' in path.read_text(encoding="utf-8")
    assert '"owner":"1"' in path.with_name("run.jsonl.1").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "why"),
    [("folder", "it is a folder"), ("file/run.jsonl", "File exists"), ("file/x/run.jsonl", "Not a")],
)
def test_a_place_where_no_record_can_be_is_refused_and_left_as_it_is(tmp_path, name, why):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UnwritableTape) as refused:
        TapeWriter(tmp_path / name, 1)
    assert f"the record {tmp_path / name} cannot be written ({why}" in str(refused.value)
    assert "set telemetry.record_stream to another file" in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_record_that_is_full_is_cut_and_says_so(tmp_path):
    path = tmp_path / "run.jsonl"
    writer = TapeWriter(path, 1)
    for _ in range(20):
        writer.put(Memory("risk", b"x" * 60_000))
    assert writer.cut_because
    writer.close()
    assert path.stat().st_size < 1_100_000
    assert "record_mb_max" in path.read_text(encoding="utf-8").splitlines()[-1]


def test_a_disk_that_does_not_keep_up_cuts_the_record(tmp_path, mocker):
    mocker.patch("app.recording.writer.WAITING_MAX", 0)
    writer = TapeWriter(tmp_path / "run.jsonl", 1)
    writer.put(Memory("risk", b""))
    assert writer.cut_because == "the disk does not keep up"
    writer.cut("another reason")
    writer.close()
    assert writer.cut_because == "the disk does not keep up"


class FullDisk(BytesIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_a_disk_that_fails_cuts_the_record(tmp_path, mocker):
    mocker.patch.object(Path, "open", return_value=FullDisk())
    writer = TapeWriter(tmp_path / "run.jsonl", 1)
    writer.put(Cut("anything"))
    writer._thread.join(5)
    assert writer.cut_because == "it cannot be written: [Errno 28] No space left on device"
    writer.close()
