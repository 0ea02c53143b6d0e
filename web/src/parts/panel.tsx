/** A titled part of a page. */
import type { ReactNode } from "react";

type Props = { title: ReactNode; extra?: ReactNode; children: ReactNode; id?: string; className?: string };

export function Panel({ title, extra, children, id, className = "" }: Props) {
  return (
    <section className={`panel ${className}`} id={id}>
      <div className="panel-head">
        <h2>{title}</h2>
        {extra && <div className="panel-extra">{extra}</div>}
      </div>
      {children}
    </section>
  );
}
