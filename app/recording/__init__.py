from app.recording.edges import Edges
from app.recording.final import final_of
from app.recording.played import PlayedJournal
from app.recording.player import Difference, Player
from app.recording.recorder import Recorder
from app.recording.tape import Cut, End, Head, UnreadableTape, read_tape
from app.recording.writer import TapeWriter

__all__ = [
    "Cut",
    "Difference",
    "Edges",
    "End",
    "Head",
    "PlayedJournal",
    "Player",
    "Recorder",
    "TapeWriter",
    "UnreadableTape",
    "final_of",
    "read_tape",
]
