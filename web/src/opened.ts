/** Which ticket or device is open beside the page, and which state is chosen: kept in the address. */
import { useSearchParams } from "react-router";

export function useOpened() {
  const [search, set_search] = useSearchParams();
  const set = (changes: Record<string, string | null>) =>
    set_search((before) => {
      const after = new URLSearchParams(before);
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) after.delete(name);
        else after.set(name, value);
      }
      return after;
    });
  return {
    ticket: search.get("ticket"),
    device: search.get("device"),
    message: search.get("message"),
    state: search.get("state"),
    open_ticket: (ticket: string) => set({ ticket, device: null }),
    open_device: (device: string) => set({ device, ticket: null }),
    open_message: (message: string) => set({ message }),
    choose_state: (state: string | null) => set({ state }),
    close: () => set({ ticket: null, device: null, message: null }),
  };
}
