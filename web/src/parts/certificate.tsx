/** That a technician may work on this family of devices, and until when. */
import { useWords } from "../settings";
import type { Certificate } from "../shapes";
import { date } from "../time";

export function CertificateChip({ certificate }: { certificate: Certificate | null | undefined }) {
  const { say, pick, language } = useWords();
  if (!certificate) return null;
  const until = say("certified_until", { day: date(certificate.valid_to, language) });
  return (
    <span className="chip certified" title={until}>
      {say("certified", { family: pick(certificate.title) })}
    </span>
  );
}
