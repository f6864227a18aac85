/** Whether an `Accept` header asks for Markdown before JSON (RFC 9110, 12.5.1); nothing said is JSON. */
export function prefersMarkdown(accept: string | undefined): boolean {
  const quality = (type: string): number => {
    const [top] = type.split("/");
    const found = new Map(
      (accept ?? "").split(",").map((range) => {
        const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
        const q = parameters.find((each) => each.startsWith("q="))?.slice(2);
        return [name, q === undefined ? 1 : Number(q)];
      }),
    );
    return found.get(type) ?? found.get(`${top}/*`) ?? found.get("*/*") ?? 0;
  };
  return quality("text/markdown") > quality("application/json");
}
