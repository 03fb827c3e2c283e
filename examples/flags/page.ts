/** Shows the flags, as they are at every moment. */
export const page = `<!doctype html>
<meta charset="utf-8">
<title>Feature flags</title>
<h1>Feature flags</h1>
<pre id="flags"></pre>
<script>
  let flags = {};
  const show = () => {
    document.querySelector('#flags').textContent = JSON.stringify(flags, null, 2);
  };
  const live = new EventSource('/live');
  live.addEventListener('all', ({ data }) => {
    flags = JSON.parse(data);
    show();
  });
  live.addEventListener('change', ({ data }) => {
    for (const [name, value] of Object.entries(JSON.parse(data))) {
      if (value === null) delete flags[name];
      else flags[name] = value;
    }
    show();
  });
</script>
`;
