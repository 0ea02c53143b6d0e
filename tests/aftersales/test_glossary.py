from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def rows() -> list[list[str]]:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return [row for row in cells if row[0] != "zh-CN" and set(row[0]) != {"-"}]


def test_every_word_has_both_languages_and_its_spelling_in_code() -> None:
    assert all(len(row) == 3 and all(row) for row in rows())


def test_no_word_is_explained_twice() -> None:
    for column in (0, 2):
        words = [row[column] for row in rows() if row[column] != "complaint"]
        assert sorted(words) == sorted(set(words))
