import { describe, expect, it } from "vitest";
import { pieces, pretty } from "../payload";

describe("a payload", () => {
  it("is indented if it is JSON, and left alone if not", () => {
    expect(pretty('{"b":"x","m":{"temp1":37}}')).toContain('\n    "temp1": 37');
    expect(pretty("{broken")).toBe("{broken");
  });

  it("has its wrong lines marked, by key or by the name a birth gives", () => {
    const text = pretty('{"m":{"temp1":37,"temp10":1},"metrics":[{"n":"vac","u":"C"}]}');
    const marked = pieces(text, ["temp1", "vac"]).filter((piece) => piece.wrong);
    expect(marked.map((piece) => piece.text.trim())).toEqual(['"temp1": 37,', '"n": "vac",']);
    expect(pieces(text, ["temp1"]).map((piece) => piece.text).join("")).toBe(text);
  });
});
