/** A short walk over the first page, for somebody who sees it for the first time. */
import { Tour, type TourStepProps } from "antd";
import { useClock } from "../queries";
import { useWords } from "../settings";
import type { Key } from "../words";

type Stop = { at: string; title: Key; what: Key };

const STOPS: Stop[] = [
  { at: ".tiles", title: "tour_tiles", what: "tour_tiles_what" },
  { at: "#tickets", title: "tour_tickets", what: "tour_tickets_what" },
  { at: "#plan", title: "tour_plan", what: "tour_plan_what" },
  { at: "#devices", title: "tour_devices", what: "tour_devices_what" },
  { at: ".server-time", title: "tour_time", what: "tour_time_what" },
];
/** On a phone the parts are behind this choice. */
const CHOICE = ".parts";

export default function GuidedTour({ close }: { close: () => void }) {
  const { say } = useWords();
  const clock = useClock().data;
  const facts = { n: clock?.speed ?? 1 };
  const welcome = { title: say("tour_welcome"), description: say("tour_welcome_what") };
  const stops = STOPS.filter(({ at }) => clock?.demo || at !== ".server-time");
  const steps: TourStepProps[] = [
    welcome,
    ...stops.map(({ at, title, what }) => ({
      title: say(title),
      description: say(what, facts),
      target: () => seen(at) ?? seen(CHOICE)!,
    })),
  ];
  return (
    <Tour
      open
      onClose={close}
      onFinish={close}
      steps={steps}
      gap={{ offset: 4, radius: 10 }}
      scrollIntoViewOptions={{ block: "center" }} // below the frame, which stays at the top
    />
  );
}

/** Returns the element if it is on the page and not hidden. */
function seen(at: string): HTMLElement | null {
  const found = document.querySelector<HTMLElement>(at);
  return found && found.offsetParent !== null ? found : null;
}
