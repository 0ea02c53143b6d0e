/** Keeps the rest of the page when a part of it breaks, or cannot be loaded. */
import { Component, type ReactNode } from "react";
import { ProblemError } from "../client";
import { Trouble } from "./trouble";

type Props = { children: ReactNode; aside?: boolean };

export class Caught extends Component<Props, { error: unknown }> {
  override state = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <div className={this.props.aside ? "caught aside" : "caught"}>
        <Trouble error={part_error(error)} retry={() => window.location.reload()} />
      </div>
    );
  }
}

/** A part of the pages that does not come is a server that does not answer. */
function part_error(error: unknown): unknown {
  const missing = error instanceof TypeError && /import|module|fetch/i.test(error.message);
  return missing ? new ProblemError({ title: "", status: 0 }) : error;
}
