/** The drawer that one thing opens in: its name, then what is known, asked for, or not to be had. */
import type { UseQueryResult } from "@tanstack/react-query";
import { Drawer, Skeleton } from "antd";
import type { ReactNode } from "react";
import { useOpened } from "../opened";
import { useWords } from "../settings";
import { Trouble } from "./trouble";

interface SheetProps<T> {
  name: string;
  words: string;
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
}

export function Sheet<T>({ name, words, query, children }: SheetProps<T>) {
  const { say } = useWords();
  const { close } = useOpened();
  return (
    <Drawer
      open
      onClose={close}
      size={760}
      title={
        <span className="drawer-title">
          <b className="number">{name}</b>
          <span className="drawer-words">{words}</span>
        </span>
      }
      closable={{ "aria-label": say("close") }}
      className="drawer"
    >
      {query.isPending && <Skeleton active paragraph={{ rows: 12 }} />}
      {query.isError && !query.data && <Trouble error={query.error} retry={() => void query.refetch()} />}
      {query.data && children(query.data)}
    </Drawer>
  );
}
