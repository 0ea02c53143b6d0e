/** Whether this browser has been shown around: once, and again when somebody asks. */
import { useState } from "react";
import { useSearchParams } from "react-router";
import { remember, remembered } from "./settings";

const TOUR = "fieldcare.tour";

/** Returns whether to show the tour now, and what ends it. */
export function useTour(): [boolean, () => void] {
  const [search, set_search] = useSearchParams();
  const [is_new, set_new] = useState(() => remembered(TOUR) === null);
  const end = () => {
    remember(TOUR, "seen");
    set_new(false);
    set_search(
      (before) => {
        before.delete("tour");
        return before;
      },
      { replace: true },
    );
  };
  return [is_new || search.has("tour"), end];
}
