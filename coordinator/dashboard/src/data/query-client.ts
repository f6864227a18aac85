import { QueryCache, QueryClient } from "@tanstack/react-query";

/** No polling and no reading again by itself: the event stream says when something changed. */
export function createQueryClient(onError: (error: Error) => void = () => undefined): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: Infinity,
        gcTime: Infinity,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: "always",
        retry: 2,
      },
    },
  });
}
